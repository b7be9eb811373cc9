package document_test

import (
	"testing"

	"faxbot/controller/document"
	"faxbot/controller/fax"
)

// BenchmarkPrepare is the time from a kept document to a fax on disk.
func BenchmarkPrepare(b *testing.B) {
	f, err := document.Open(document.Config{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = f.Close() })
	for name, file := range map[string][]byte{"PDF": pdf(letter("one page")), "text": []byte("one page")} {
		b.Run(name, func(b *testing.B) {
			id := fax.NewJobID()
			keep(b, f, id, file)
			for b.Loop() {
				if _, err := f.Prepare(b.Context(), id, document.Options{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkReceive is the time until a document is safe on disk.
func BenchmarkReceive(b *testing.B) {
	f, err := document.Open(document.Config{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = f.Close() })
	file := pdf(letter("one page"))
	for b.Loop() {
		keep(b, f, fax.NewJobID(), file)
	}
}
