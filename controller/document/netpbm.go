package document

import (
	"bufio"
	"fmt"
	"image"
	"io"
	"strconv"
	"strings"
)

// maxRows is more than any page has.
const maxRows = 25 * int(Superfine)

// maxDrawn is more than the bytes of any page.
const maxDrawn = int64(Width * (maxRows + 1))

// readDrawing adds the pages as a program draws them, one after the other, all
// there are.
func readDrawing(r *bufio.Reader, to *faxWriter) error {
	for {
		if _, err := r.Peek(1); err != nil {
			return nil // the end; whether it is a good one is told otherwise
		}
		if err := readDrawnPage(r, to); err != nil {
			return err
		}
	}
}

// readDrawnPage adds a page that is Netpbm's PGM (grey) or PBM (black and white), in
// the middle of its sheet.
func readDrawnPage(r *bufio.Reader, to *faxWriter) error {
	magic, width, rows, err := readHead(r)
	if err != nil {
		return err
	}
	sheet := max(rows, to.opt.Resolution.rows(faxMinHeight))
	if magic == "P4\n" {
		page := bitmap{stride: (width + 7) / 8, left: (Width - width) / 2, width: width, height: rows}
		page.pixels = to.room(page.stride*rows + bitmapSlack)
		if _, err := io.ReadFull(r, page.pixels[:page.stride*rows]); err != nil {
			return err
		}
		return to.Black(page, sheet)
	}
	g := &image.Gray{Pix: to.room(Width * sheet), Stride: Width, Rect: image.Rect(0, 0, Width, sheet)}
	if err := readGrey(r, g.Pix, width, rows); err != nil {
		return err
	}
	return to.Page(g)
}

func readGrey(r io.Reader, pixels []byte, width, rows int) error {
	if width == Width {
		whiten(pixels[Width*rows:])
		_, err := io.ReadFull(r, pixels[:Width*rows])
		return err
	}
	whiten(pixels)
	for y := range rows {
		if _, err := io.ReadFull(r, pixels[y*Width+(Width-width)/2:][:width]); err != nil {
			return err
		}
	}
	return nil
}

func readHead(r *bufio.Reader) (magic string, width, rows int, err error) {
	magic, err = r.ReadString('\n')
	if err != nil || magic != "P5\n" && magic != "P4\n" {
		return "", 0, 0, fmt.Errorf("no page: %.20q: %w", magic, err)
	}
	head := []int{0, 0, 255} // width, height, brightest, which PBM leaves out
	wanted := len(head)
	if magic == "P4\n" {
		wanted--
	}
	for i := 0; i < wanted; {
		line, err := r.ReadString('\n')
		if err != nil {
			return "", 0, 0, err
		}
		if strings.HasPrefix(line, "#") {
			continue
		}
		for word := range strings.FieldsSeq(line) {
			if i == wanted {
				return "", 0, 0, fmt.Errorf("no page: %.20q", line)
			}
			if head[i], err = strconv.Atoi(word); err != nil {
				return "", 0, 0, err
			}
			i++
		}
	}
	if head[0] < 1 || head[0] > Width || head[1] < 1 || head[1] > maxRows || head[2] != 255 {
		return "", 0, 0, fmt.Errorf("a page of %v", head)
	}
	return magic, head[0], head[1], nil
}
