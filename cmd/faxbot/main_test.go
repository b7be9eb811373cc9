package main

import (
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets tests run this program as processes of their own: the test
// binary is "faxbot" there.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"faxbot": main})
}

func TestScripts(t *testing.T) {
	recordings, err := filepath.Abs("../../controller/freeswitch/testdata/recordings")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("RECORDINGS", recordings)
			return nil
		},
	})
}
