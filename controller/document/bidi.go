package document

import (
	"slices"

	"github.com/go-text/typesetting/di"
	"github.com/go-text/typesetting/shaping"
	"golang.org/x/text/unicode/bidi"
)

func classOf(r rune) bidi.Class {
	p, _ := bidi.LookupRune(r)
	return p.Class()
}

// directionOf is the direction of the first character that has one (UAX #9, P2
// and P3).
func directionOf(text []rune) di.Direction {
	for _, r := range text {
		switch classOf(r) {
		case bidi.L:
			return di.DirectionLTR
		case bidi.R, bidi.AL:
			return di.DirectionRTL
		}
	}
	return di.DirectionLTR
}

// apart cuts numbers that belong to letters from the right off the letters from
// the left that follow them: both are read from the left, but stand on different
// sides of the former.
func apart(text []rune, direction di.Direction, runs []shaping.Input) []shaping.Input {
	var all []shaping.Input
	for _, run := range runs {
		end := run.RunStart
		if direction == di.DirectionLTR && run.Direction == di.DirectionLTR {
			end = numberEnd(text, run.RunStart, run.RunEnd)
		}
		if run.RunStart < end && end < run.RunEnd {
			number := run
			number.RunEnd, run.RunStart = end, end
			all = append(all, number)
		}
		all = append(all, run)
	}
	return all
}

// numberEnd is where a number ends that begins text[start:end] and belongs to
// letters from the right; start if there is none (UAX #9, W2 to W7).
func numberEnd(text []rune, start, end int) int {
	to, fromTheRight := start, false
	for at, r := range text[start:end] {
		switch classOf(r) {
		case bidi.EN, bidi.ET:
			to = start + at + 1
			continue
		case bidi.AN:
			to, fromTheRight = start+at+1, true
			continue
		case bidi.CS, bidi.ES, bidi.NSM, bidi.BN: // between numbers
			continue
		}
		break
	}
	for at := start - 1; at >= 0 && !fromTheRight; at-- {
		switch classOf(text[at]) {
		case bidi.R, bidi.AL:
			fromTheRight = true
		case bidi.L:
			return start
		}
	}
	if !fromTheRight {
		return start
	}
	return to
}

// seen are the runs of a line from left to right (UAX #9, I1, I2 and L2). The
// library knows directions only, and so puts numbers among letters from the right
// on the wrong side.
func seen(text []rune, direction di.Direction, line shaping.Line) []shaping.Output {
	runs := slices.Clone(line)
	levels := make([]int, len(runs))
	for i, run := range runs {
		start, end := run.Runes.Offset, run.Runes.Offset+run.Runes.Count
		switch {
		case run.Direction == di.DirectionRTL:
			levels[i] = 1
		case direction == di.DirectionRTL, start < end && numberEnd(text, start, end) == end:
			levels[i] = 2
		}
	}
	for level := 2; level > 0; level-- {
		for from, to := 0, 0; from < len(runs); from = to + 1 {
			for to = from; to < len(runs) && levels[to] >= level; to++ {
			}
			slices.Reverse(runs[from:to])
			slices.Reverse(levels[from:to])
		}
	}
	return runs
}
