// Draws the pages of a PDF that has nothing but letters, strokes and rectangles,
// each in a way that Ghostscript draws alike. It ends in an error if a page has
// more, or anything is not plain, before it draws any.
//
//	mutool run mupdf.js DOCUMENT
//
// It reads "FIRST LAST MOST", tells how many pages there are, then, of those
// wanted, width and height, as they are seen, and the shortest side of a rectangle,
// in points, and 1 if not all is black and white; then "end".
//
// It reads lines "WIDTH ROWS TURNED FORMAT FIRST LAST" and an empty one. Of line L,
// from 0, page P, from 1, becomes a file of so many pixels, of the name L-P, in the
// folder where it runs; then it tells "drawn", and goes on to the page after the
// next when it reads a line.

// What is told is kept until there is enough of it; spaces are enough.
var enough = " "
while (enough.length < 4096) enough += enough
function tell() {
	write(enough)
}

var wanted = readline().split(" ")
var doc = new PDFDocument(scriptArgs[0])
if (doc.needsPassword()) throw "a password is needed"
var root = doc.getTrailer().Root
if (root.Collection) throw "a portfolio"
if (root.OCProperties) throw "layers"

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

var first = Number(wanted[0]), last = Math.min(Number(wanted[1]), count)
if (last - first >= Number(wanted[2])) throw "too many pages"
for (var n = first; n <= last; ++n) {
	examine(doc.findPage(n - 1))
	var page = doc.loadPage(n - 1)
	grey = 0
	shortest = 1e9
	page.run(device, Identity)
	var seen = page.bound()
	print(seen[2] - seen[0], seen[3] - seen[1], shortest, grey)
}
print("end")
tell()

var lines = []
for (var line; line = readline();) lines.push(line.split(" "))
var ahead = 0
for (var l = 0; l < lines.length; ++l) {
	var width = Number(lines[l][0]), rows = Number(lines[l][1]), turned = Number(lines[l][2])
	// Without antialiasing letters and lines are black, as Ghostscript has them.
	var writer = new DocumentWriter(l + "-%d", lines[l][3], "width=" + width + ",height=" + rows + ",graphics=aa0,text=aa0")
	for (n = Number(lines[l][4]); n <= Number(lines[l][5]); ++n) {
		if (++ahead > 2) readline()
		page = doc.loadPage(n - 1)
		seen = page.bound()
		var wide = width / (seen[turned ? 3 : 2] - seen[turned ? 1 : 0]), high = rows / (seen[turned ? 2 : 3] - seen[turned ? 0 : 1])
		page.run(writer.beginPage([0, 0, width, rows]), turned
			? [0, -high, wide, 0, -seen[1] * wide, seen[2] * high]
			: [wide, 0, 0, high, -seen[0] * wide, -seen[1] * high])
		writer.endPage()
		print("drawn")
		tell()
	}
	writer.close()
}
