// Package document turns what people submit into what a fax machine takes, and
// keeps both.
//
// A Reception streams the files of one job to disk and answers at once whether
// they are of a kind that can be faxed. Prepare, later and elsewhere, makes them
// one TIFF (TIFF/F, RFC 2306: 1728 pixels a line, ITU-T T.6 compression) and only
// then puts it in its place. What is in its place is therefore complete, and
// stays after a power failure.
//
// # From grey to black and white
//
// Every kind of document first becomes grey pages with the pixels of the fax.
// Text and pictures are drawn here. Ghostscript draws PDFs, and averages the
// pixels of scans instead of leaving some out, which would lose thin lines; MuPDF
// does it faster where plain.js finds nothing that the two draw differently.
// LibreOffice makes PDFs of office documents. Then ink.go makes the paper of scans
// white, and decides on black and white by what surrounds a pixel.
//
// A process reads one document and ends; confined.go says how far away from
// everything else it is, and DESIGN.md why all is as it is.
//
// # Folder
//
// With a bucket (Config.Bucket) the folder is a cache of it; see copy.go.
//
//	DIR/incoming/<process>/          uploads and conversions under way; swept by Open
//	DIR/<6 hex>/<job id>/1.pdf …     what was submitted, mode 0600
//	DIR/<6 hex>/<job id>/fax.tiff    what is transmitted, mode 0640
//	DIR/fonts/                       an index of the system's fonts
//
// The six digits are the first of the job id, whose time they tell to four and a
// half hours, so a folder stays small and an old one disappears as a whole. No
// name comes from a user.
//
// FreeSWITCH runs as another user and must read the TIFF and nothing else.
// Folders are 0750 and keep the set-group-id bit of DIR, so this is enough:
//
//	chgrp freeswitch DIR && chmod 2750 DIR
package document
