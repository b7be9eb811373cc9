package document_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

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

// BenchmarkThroughput compares documents per second with one gs process for
// each document, in one run: one after the other, and as many at once as there
// are processors. Ours includes that the result is safe on disk.
func BenchmarkThroughput(b *testing.B) {
	var lines strings.Builder
	for i := range 60 {
		fmt.Fprintf(&lines, "(Line %d of a letter with quite some text in it, as letters have them, and more) ' ", i)
	}
	sheet := pdfPage{attributes: a4, content: "BT /F 10 Tf 12 TL 50 800 Td " + lines.String() + "ET"}
	for _, kind := range []string{"PDF", "text"} {
		for _, pages := range []int{1, 10, 50} {
			sheets := make([]pdfPage, pages)
			for i := range sheets {
				sheets[i] = sheet
			}
			file, theirs := pdf(sheets...), pdf(sheets...)
			if kind == "text" {
				file = []byte(strings.Repeat(strings.Repeat("A line of a letter with quite some text in it, as letters have them\n", 60), pages))
			}
			for _, at := range []int{1, runtime.GOMAXPROCS(0)} {
				b.Run(fmt.Sprintf("%s/%d/%d", kind, pages, at), func(b *testing.B) {
					compare(b, file, theirs, at)
				})
			}
		}
	}
}

func compare(b *testing.B, file, theirs []byte, at int) {
	f, err := document.Open(document.Config{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = f.Close() })
	dir := b.TempDir()
	in := filepath.Join(dir, "in.pdf")
	if err := os.WriteFile(in, theirs, 0o600); err != nil {
		b.Fatal(err)
	}
	ids := make([]fax.JobID, at)
	for i := range ids {
		ids[i] = fax.NewJobID()
		keep(b, f, ids[i], file)
	}
	// What it costs, in processor time too: the same on a busy machine.
	run := func(n int, one func(worker int) error) (took, cost time.Duration) {
		var left atomic.Int64
		left.Store(int64(n))
		var workers sync.WaitGroup
		began, before := time.Now(), processorTime()
		for w := range at {
			workers.Go(func() {
				for left.Add(-1) >= 0 {
					if err := one(w); err != nil {
						b.Error(err)
					}
				}
			})
		}
		workers.Wait()
		return time.Since(began), processorTime() - before
	}
	ours := func(w int) error {
		_, err := f.Prepare(b.Context(), ids[w], document.Options{})
		return err
	}
	plain := func(w int) error {
		return exec.CommandContext(b.Context(), "gs", "-q", "-dSAFER", "-dBATCH", "-dNOPAUSE", "-sDEVICE=tiffg4", "-r204x196", //nolint:gosec // a test
			"-sOutputFile="+filepath.Join(dir, fmt.Sprint(w, ".tiff")), in).Run()
	}
	var mine, gs, mineCost, gsCost time.Duration
	docs := 0
	run(at, ours)
	for b.Loop() { // by turns, so that other load meets both
		took, cost := run(4*at, ours)
		mine, mineCost = mine+took, mineCost+cost
		took, cost = run(4*at, plain)
		gs, gsCost = gs+took, gsCost+cost
		docs += 4 * at
	}
	rate := func(d time.Duration) float64 { return float64(docs) / d.Seconds() }
	b.ReportMetric(rate(mine), "docs/s")
	fmt.Printf("RATIO %s: %.1f documents/s, gs per document %.1f/s: %.2f; processor %v and %v: %.2f\n", b.Name(), rate(mine), rate(gs), rate(mine)/rate(gs),
		mineCost/time.Duration(docs), gsCost/time.Duration(docs), gsCost.Seconds()/mineCost.Seconds())
}

// processorTime is what this process and those it has waited for have used.
func processorTime() time.Duration {
	var sum time.Duration
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var used syscall.Rusage
		if syscall.Getrusage(who, &used) == nil {
			sum += time.Duration(used.Utime.Nano() + used.Stime.Nano())
		}
	}
	return sum
}
