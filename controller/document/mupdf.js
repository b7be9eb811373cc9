// Tells of the pages of a PDF: how many there are, then, of those wanted, width
// and height in points, as they are seen, and 1 if not all is black and white;
// then "end". It ends in an error if a page has more than letters and lines, or
// anything is not plain.
//
//	mutool run mupdf.js DOCUMENT FIRST LAST MOST
var doc = new PDFDocument(scriptArgs[0])
if (doc.needsPassword()) throw "a password is needed"
var root = doc.getTrailer().Root
if (root.Collection) throw "a portfolio"

// Counts the pages, since the number beside them may be wrong.
var most = 10000
function leaves(node, depth) {
	if (depth > 50) throw "pages form a circle"
	if (!node.Kids) return 1
	var sum = 0
	for (var i = 0; i < node.Kids.length && sum <= most; ++i) sum += leaves(node.Kids[i], depth + 1)
	return sum
}
var count = doc.countPages()
if (count > most || leaves(root.Pages, 0) != count) throw "pages miscounted"
print(count)

function other() { throw "more than letters and lines" }
var grey // what of the page is neither black nor white
function ink(space, color, alpha) {
	if (alpha != 1) other()
	var sum = 0
	for (var i = 0; i < color.length; ++i) {
		if (color[i] != 0 && color[i] != 1) grey = 1
		sum += color[i]
	}
	if (space === DeviceCMYK ? sum != 0 && color[3] != 1 : space !== DeviceGray && space !== DeviceRGB || sum != 0 && sum != color.length) grey = 1
}
var device = {
	fillImage: other, fillImageMask: other, clipImageMask: other, fillShade: other,
	beginMask: other, beginGroup: other, beginTile: other,
	fillPath: function (path, evenOdd, ctm, space, color, alpha) { ink(space, color, alpha) },
	strokePath: function (path, stroke, ctm, space, color, alpha) { ink(space, color, alpha) },
	fillText: function (text, ctm, space, color, alpha) { ink(space, color, alpha) },
	strokeText: function (text, stroke, ctm, space, color, alpha) { ink(space, color, alpha) },
}

var first = Number(scriptArgs[1]), last = Math.min(Number(scriptArgs[2]), count)
if (last - first >= Number(scriptArgs[3])) throw "too many pages"
for (var n = first; n <= last; ++n) {
	var box = null
	for (var at = doc.findPage(n - 1), depth = 0; at && !box; at = at.Parent) {
		if (++depth > 50) throw "pages form a circle"
		box = at.MediaBox
	}
	if (!box || !(Math.abs(box[2] - box[0]) >= 1) || !(Math.abs(box[3] - box[1]) >= 1)) throw "a page without size"
	var page = doc.loadPage(n - 1)
	grey = 0
	page.run(device, Identity)
	var seen = page.bound()
	print(seen[2] - seen[0], seen[3] - seen[1], grey)
}
print("end")
