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

// readPages adds the pages as a program draws them, which are Netpbm's PGM (grey)
// or PBM (black and white), one after the other, each in the middle of its sheet:
// so many, or all there are.
func readPages(r *bufio.Reader, pages int, to *faxWriter) error {
	var buf []byte
	room := func(n int) []byte {
		if cap(buf) < n {
			buf = make([]byte, n)
		}
		return buf[:n]
	}
	for range pages {
		if _, err := r.Peek(1); err != nil {
			return nil // the end; whether it is a good one is told otherwise
		}
		magic, width, rows, err := readHead(r)
		if err != nil {
			return err
		}
		sheet := max(rows, to.opt.Resolution.rows(faxMinHeight))
		if magic == "P4\n" {
			page := bitmap{stride: (width + 7) / 8, left: (Width - width) / 2, width: width, height: rows}
			page.pixels = room(page.stride*rows + bitmapSlack)
			if _, err = io.ReadFull(r, page.pixels[:page.stride*rows]); err == nil {
				err = to.Black(page, sheet)
			}
		} else {
			g := &image.Gray{Pix: room(Width * sheet), Stride: Width, Rect: image.Rect(0, 0, Width, sheet)}
			if err = readGrey(r, g.Pix, width, rows); err == nil {
				err = to.Page(g)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
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
