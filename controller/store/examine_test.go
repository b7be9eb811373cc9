package store

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A look at a database changes nothing in it.
func TestExamine(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		before, err := Examine(t.Context(), db.url)
		if err != nil || !before.New || before.Version != 0 || before.Newest < 5 {
			t.Errorf("before: %+v, %v", before, err)
		}
		if file, is := strings.CutPrefix(db.url, "sqlite:///"); is {
			if _, err := os.Stat(file); err == nil {
				t.Error("the file was made")
			}
		}
		db.open(t, "a")
		after, err := Examine(t.Context(), db.url)
		if err != nil || after.New || after.Version != after.Newest {
			t.Errorf("after: %+v, %v", after, err)
		}
		again, err := Examine(t.Context(), db.url)
		if err != nil || again != after {
			t.Errorf("again: %+v, %v", again, err)
		}
	})
}

func TestExamineFails(t *testing.T) {
	t.Parallel()
	broken := filepath.Join(t.TempDir(), "broken.db")
	if err := os.WriteFile(broken, []byte(strings.Repeat("no database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for databaseURL, want := range map[string]string{
		"mysql://h/d":                          "must begin with",
		"sqlite:////nowhere/at/x.db":           "the folder /nowhere/at does not exist",
		"sqlite:///" + broken:                  "not a database",
		"postgresql://u:hunter2@127.0.0.1:1/d": "refused",
	} {
		if _, err := Examine(t.Context(), databaseURL); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v; want %q", databaseURL, err, want)
		}
	}
}
