package fax

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// Pages chooses pages of a document, counted from 1: "1-3,5,8-". Empty means
// all of them.
type Pages string

// Range is the pages from First to Last, both included.
type Range struct{ First, Last int }

// lastPage stands for the end of every document.
const lastPage = 1 << 30

// maxRanges limits the parts of a choice.
const maxRanges = 100

// Ranges returns the choice in order and without overlap: at least one Range,
// the last of which may reach beyond the end. It is Invalid when the text is
// none.
func (p Pages) Ranges() ([]Range, error) {
	if p == "" {
		return []Range{{1, lastPage}}, nil
	}
	var all []Range
	for part := range strings.SplitSeq(string(p), ",") {
		r, ok := parseRange(strings.TrimSpace(part))
		if !ok || len(all) == maxRanges {
			return nil, Errorf(Invalid, "Pages %.40q: write them like 1-3,5,8- with at most %d parts", string(p), maxRanges)
		}
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b Range) int { return cmp.Compare(a.First, b.First) })
	merged := all[:1]
	for _, r := range all[1:] {
		if last := &merged[len(merged)-1]; r.First <= last.Last+1 {
			last.Last = max(last.Last, r.Last)
		} else {
			merged = append(merged, r)
		}
	}
	return merged, nil
}

// parseRange reads "5", "1-3" or "8-".
func parseRange(text string) (r Range, ok bool) {
	first, last, several := strings.Cut(text, "-")
	if r.First, ok = pageNumber(first); !ok {
		return r, false
	}
	switch {
	case !several:
		r.Last = r.First
	case last == "":
		r.Last = lastPage
	default:
		r.Last, ok = pageNumber(last)
	}
	return r, ok && r.First <= r.Last
}

func pageNumber(text string) (int, bool) {
	n, err := strconv.ParseUint(text, 10, 31)
	return int(n), err == nil && n >= 1 && n <= lastPage //nolint:gosec // 31 bits
}
