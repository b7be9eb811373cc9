// What mupdf.js calls plain: letters, strokes and rectangles, each drawn in a way
// that MuPDF and Ghostscript draw alike. All else ends in an error.

function other() { throw "more than letters, strokes and rectangles" }

// examine looks at a page before it is run on the device below.
function examine(page) {
	size(page)
	notes(page)
	var has = inherited(page, "Resources")
	if (has) resources(has, 0)
}

function inherited(page, key) {
	for (var depth = 0; page; page = page.Parent) {
		if (++depth > 50) throw "pages form a circle"
		if (page[key]) return page[key]
	}
}

// A page must be a point wide and high, whatever it is cropped to.
function size(page) {
	var media = inherited(page, "MediaBox"), crop = inherited(page, "CropBox") || media
	if (!media || media.length != 4 || crop.length != 4) throw "a page without size"
	for (var i = 0; i < 2; ++i) {
		var low = Math.max(Math.min(media[i], media[i + 2]), Math.min(crop[i], crop[i + 2]))
		var high = Math.min(Math.max(media[i], media[i + 2]), Math.max(crop[i], crop[i + 2]))
		if (!(high - low >= 1)) throw "a page without size"
	}
	if (page.UserUnit && !(page.UserUnit > 0 && page.UserUnit <= 1000)) throw "a page without size"
}

// Comments, stamps and fields are drawn on screen or paper, by a program's own
// design if they have none; links are not drawn if they have no border.
function notes(page) {
	for (var i = 0; page.Annots && i < page.Annots.length; ++i) {
		var note = page.Annots[i], border = note.BS ? note.BS.W : note.Border && note.Border[2]
		if (note.Subtype != "Link" || note.AP || !border || border != 0) other()
	}
}

// A font must come with the document, or be one that every program has.
var standard = /^((Helvetica|Courier)(-(Bold|Oblique|BoldOblique))?|Times-(Roman|Bold|Italic|BoldItalic)|Symbol|ZapfDingbats)$/
function font(f) {
	if (f.Subtype == "Type3") other()
	var d = (f.DescendantFonts ? f.DescendantFonts[0] : f).FontDescriptor
	if (d && (d.FontFile || d.FontFile2 || d.FontFile3)) return
	if (f.DescendantFonts || !standard.test(f.BaseFont.asName()) || f.Encoding && !f.Encoding.isName()) throw "a font is missing"
}

// Looks at what the pages draw with, each thing once.
var known = {}
function each(things, look) {
	if (things) things.forEach(function (name, thing) {
		if (thing.isIndirect()) {
			var number = thing.asIndirect()
			if (known[number]) return
			known[number] = 1
		}
		look(thing)
	})
}
function resources(r, depth) {
	if (depth > 20) throw "forms within forms"
	var spaces = r.ColorSpace
	if (spaces && (spaces.DefaultGray || spaces.DefaultRGB || spaces.DefaultCMYK)) other()
	each(r.Font, font)
	each(r.ExtGState, function (state) {
		if (state.TR && state.TR != "Identity" || state.TR2 && state.TR2 != "Default" && state.TR2 != "Identity") other()
		if (state.Font) font(state.Font[0])
	})
	each(r.XObject, function (form) {
		if (form.Subtype != "Form") return
		if (!form.BBox) throw "a form without size"
		if (form.Resources) resources(form.Resources, depth + 1)
	})
}

var grey // what of the page is neither black nor white
function ink(space, color, alpha) {
	if (alpha != 1) other()
	var sum = 0
	for (var i = 0; i < color.length; ++i) {
		if (color[i] != 0 && color[i] != 1) grey = 1
		sum += color[i]
	}
	if (space === DeviceCMYK) {
		if (sum != 0 && color[3] != 1) grey = 1
	} else if (space === DeviceGray || space === DeviceRGB) {
		if (sum != 0 && sum != color.length) grey = 1
	} else {
		if (/^(Separation|DeviceN)/.test(space)) other() // an ink may be for no paper
		grey = 1
	}
}

// What is filled must be thick enough to meet the middle of a pixel, everywhere.
// That is plain of a rectangle only.
var shortest // side of a rectangle on the page, in points
var scale, corners
function area(path, m) {
	if (m[1] == 0 && m[2] == 0) scale = [m[0], m[3]]
	else if (m[0] == 0 && m[3] == 0) scale = [m[1], m[2]]
	else other()
	corners = []
	path.walk(rectangles)
	rectangle()
}
function rectangle() {
	var c = corners
	if (c.length == 10 && c[8] == c[0] && c[9] == c[1]) c.length = 8
	if (c.length != 8) other()
	for (var i = 0; i < 8; i += 2) // each side is level or upright
		if ((c[i] == c[(i + 2) % 8]) == (c[i + 1] == c[(i + 3) % 8])) other()
	shortest = Math.min(shortest, Math.abs((c[4] - c[0]) * scale[0]), Math.abs((c[5] - c[1]) * scale[1]))
}
var rectangles = {
	moveTo: function (x, y) {
		if (corners.length) rectangle()
		corners = [x, y]
	},
	lineTo: function (x, y) {
		if (corners.push(x, y) > 10) other()
	},
	curveTo: other,
	closePath: function () { },
}

// A stroke must leave the point where it begins: what becomes of a point differs.
var begun, left // undefined while there is nothing to draw
function stroke(path, style) {
	if (style.dashPhase < 0) other()
	for (var i = 0; i < style.dashes.length; ++i) if (!(style.dashes[i] > 0)) other()
	left = undefined
	path.walk(strokes)
	if (left === false) other()
}
var strokes = {
	moveTo: function (x, y) {
		if (left === false) other()
		begun = [x, y]
		left = undefined
	},
	lineTo: function (x, y) { left = left || x != begun[0] || y != begun[1] },
	curveTo: function () { left = true },
	closePath: function () { left = left || false },
}

var device = {
	fillImage: other, fillImageMask: other, clipImageMask: other, fillShade: other,
	beginMask: other, beginGroup: other, beginTile: other,
	clipText: other, clipStrokeText: other, clipStrokePath: other,
	clipPath: function (path, evenOdd, ctm) { area(path, ctm) },
	fillPath: function (path, evenOdd, ctm, space, color, alpha) {
		ink(space, color, alpha)
		area(path, ctm)
	},
	strokePath: function (path, style, ctm, space, color, alpha) {
		ink(space, color, alpha)
		stroke(path, style)
	},
	fillText: function (text, ctm, space, color, alpha) { ink(space, color, alpha) },
	strokeText: function (text, style, ctm, space, color, alpha) { ink(space, color, alpha) },
}
