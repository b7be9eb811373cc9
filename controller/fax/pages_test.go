package fax_test

import (
	"slices"
	"testing"

	"faxbot/controller/fax"
)

func TestPages(t *testing.T) {
	t.Parallel()
	for choice, want := range map[fax.Pages][]fax.Range{
		"":             {{1, 1 << 30}},
		"3":            {{3, 3}},
		"1-3,5":        {{1, 3}, {5, 5}},
		" 5 , 1-3":     {{1, 3}, {5, 5}},
		"2-4,3-6,7,9-": {{2, 7}, {9, 1 << 30}},
		"0":            nil, "3-2": nil, "-3": nil, "1,,2": nil, "a": nil, "1-2-3": nil, ",": nil, "+1": nil, "99999999999": nil,
	} {
		got, err := choice.Ranges()
		if !slices.Equal(got, want) || (err == nil) != (want != nil) || err != nil && fax.ProblemOf(err) != fax.Invalid {
			t.Errorf("%q: %v, %v", choice, got, err)
		}
	}
}
