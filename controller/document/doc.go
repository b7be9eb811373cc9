// Package document turns what people submit into what a fax machine takes, and
// keeps both.
//
// A Reception streams the files of one job to disk and answers at once whether
// they are of a kind that can be faxed. Prepare, later and elsewhere, has
// Ghostscript draw them as one TIFF (TIFF/F, RFC 2306: 1728 pixels a line, ITU-T
// T.6 compression), reads the result back, and only then puts it in its place.
// What is in its place is therefore complete, and stays after a power failure.
//
// # Folder
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
