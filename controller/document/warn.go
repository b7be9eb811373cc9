package document

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// SlowPage is how long a page may take on the line before Warnings tells of it.
// A page of text takes half a minute, a photograph several.
const SlowPage = 2 * time.Minute

// Warnings says, in sentences for the sender, what is odd about a fax that can
// be sent all the same: blank pages, and pages that are on the line for minutes.
// None when nothing is.
func (m Fax) Warnings() []string {
	var blank, slow []int
	longest := 0.0
	for i, s := range m.Sheets {
		if s.Blank {
			blank = append(blank, i+1)
		}
		if s.Seconds >= SlowPage.Seconds() {
			slow = append(slow, i+1)
			longest = max(longest, s.Seconds)
		}
	}
	var list []string
	if len(blank) > 0 {
		list = append(list, pagesNamed(blank, "is", "are")+" blank.")
	}
	if minutes := math.Round(longest / 60); len(slow) == 1 {
		list = append(list, fmt.Sprintf("Page %d takes about %.0f minutes to send: it has much grey or detail.", slow[0], minutes))
	} else if len(slow) > 1 {
		list = append(list, fmt.Sprintf("%s up to %.0f minutes each to send: they have much grey or detail.", pagesNamed(slow, "takes", "take"), minutes))
	}
	return list
}

// pagesNamed is "Page 3 is", or "Pages 1, 3 to 5 and 9 are".
func pagesNamed(pages []int, one, several string) string {
	if len(pages) == 1 {
		return fmt.Sprintf("Page %d %s", pages[0], one)
	}
	var ranges []string
	for i := 0; i < len(pages); {
		last := i
		for last+1 < len(pages) && pages[last+1] == pages[last]+1 {
			last++
		}
		switch name := strconv.Itoa(pages[i]); last - i {
		case 0:
			ranges = append(ranges, name)
		case 1:
			ranges = append(ranges, name, strconv.Itoa(pages[last]))
		default:
			ranges = append(ranges, name+" to "+strconv.Itoa(pages[last]))
		}
		i = last + 1
	}
	if n := len(ranges); n > 1 {
		ranges = append(ranges[:n-2], ranges[n-2]+" and "+ranges[n-1])
	}
	return "Pages " + strings.Join(ranges, ", ") + " " + several
}
