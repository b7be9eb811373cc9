package api_test

import (
	"bufio"
	"bytes"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"faxbot/controller/fax"
)

// What we aim for, on two processors, the clients among them.
const (
	submissionsWanted = 500
	readsWanted       = 20_000
)

// quiet is a stand without a log and without calls.
func quiet(c *settings) {
	c.api.Logger, c.docs.Logger = slog.New(slog.DiscardHandler), slog.New(slog.DiscardHandler)
	c.link.Address = "127.0.0.1:1"
}

// wire is a client that costs next to nothing: it keeps its connection, sends
// bytes that were made before, and looks at the status of the reply.
type wire struct {
	conn net.Conn
	in   *bufio.Reader
}

func newWire(address string) (*wire, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	return &wire{conn, bufio.NewReader(conn)}, nil
}

// ask sends a request and reads the whole reply, which must have that status.
func (w *wire) ask(request []byte, status string) error {
	if _, err := w.conn.Write(request); err != nil {
		return err
	}
	first, left := true, 0
	for {
		line, err := w.in.ReadSlice('\n')
		switch {
		case err != nil:
			return err
		case first && string(line[len("HTTP/1.1 "):len("HTTP/1.1 200")]) != status:
			return fmt.Errorf("%s, want %s", bytes.TrimSpace(line), status)
		case len(line) == 2:
			_, err := w.in.Discard(left)
			return err
		case bytes.HasPrefix(line, []byte("Content-Length: ")):
			if left, err = strconv.Atoi(string(line[len("Content-Length: ") : len(line)-2])); err != nil {
				return err
			}
		}
		first = false
	}
}

// measured is what many clients at once saw.
type measured struct{ perSecond, processor float64 }

// measure has 32 clients send requests and reports how many were answered in a
// second, how long half of them and all but a hundredth took at most, and how
// many microseconds of a processor each took, that of the client included.
func measure(b *testing.B, address, status string, request func() []byte) measured {
	b.Helper()
	var mu sync.Mutex
	var all []time.Duration
	b.SetParallelism(16)
	began := processor()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		w, err := newWire(address)
		if err != nil {
			b.Error(err)
			return
		}
		defer w.conn.Close()
		var took []time.Duration
		for pb.Next() {
			began := time.Now()
			if err := w.ask(request(), status); err != nil {
				b.Error(err)
				return
			}
			took = append(took, time.Since(began))
		}
		mu.Lock()
		defer mu.Unlock()
		all = append(all, took...)
	})
	b.StopTimer()
	if len(all) == 0 {
		return measured{}
	}
	slices.Sort(all)
	m := measured{float64(len(all)) / b.Elapsed().Seconds(), float64((processor() - began).Microseconds()) / float64(len(all))}
	b.ReportMetric(m.perSecond, "requests/s")
	b.ReportMetric(m.processor, "processor-us")
	b.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, "p99-ms")
	return m
}

// processor is the time that this process has had of all processors.
func processor() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

const onePage = "%PDF-1.4\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n2 0 obj\n<< /Type /Pages /Count 1 /Kids [3 0 R] >>\nendobj\n" +
	"3 0 obj\n<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] >>\nendobj\ntrailer << /Size 4 /Root 1 0 R >>\nstartxref\n9\n%%EOF\n"

// Submissions of a one-page PDF that are durable, in SQLite on disk, while
// their pages are drawn. The original Faxbot: 9 per second.
func BenchmarkSubmit(b *testing.B) {
	s := newStand(b, quiet)
	var n atomic.Int64
	submission := func() []byte {
		body, kind := form(field("to", fmt.Sprintf("+1555%07d", n.Add(1))), part{"file", "fax.pdf", "application/pdf", onePage})
		return fmt.Appendf(nil, "POST /fax HTTP/1.1\r\nHost: x\r\nX-API-Key: %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", key, kind, len(body), body)
	}
	// A daemon that has just started makes its folders, files and interpreters.
	first, err := newWire(s.public)
	for range 500 {
		if err == nil {
			err = first.ask(submission(), "202")
		}
	}
	if err != nil {
		b.Fatal(err)
	}
	first.conn.Close()
	var m measured
	b.Run("faxbot", func(b *testing.B) { m = measure(b, s.public, "202", submission) })
	fmt.Printf("FIGURE submissions %.0f per second (%d wanted; the original 9)\n", m.perSecond, submissionsWanted)
}

// Reads of the status of a fax that was delivered, beside a handler of net/http
// that sends the same bytes to the same clients and does nothing for them. The
// original Faxbot: 552 per second.
func BenchmarkStatus(b *testing.B) {
	s := newStand(b, func(c *settings) { address := c.link.Address; quiet(c); c.link.Address = address })
	id := s.send(number)
	reply := s.until(id, fax.Done).body
	ask := fmt.Appendf(nil, "GET /fax/%s HTTP/1.1\r\nHost: x\r\nX-API-Key: %s\r\n\r\n", id, key)
	var ours, bare measured
	b.Run("faxbot", func(b *testing.B) {
		ours = measure(b, s.public, "200", func() []byte { return ask })
	})
	b.Run("bare", func(b *testing.B) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		server := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(len(reply)))
			_, _ = w.Write(reply)
		})}
		go func() { _ = server.Serve(l) }()
		defer server.Close()
		bare = measure(b, l.Addr().String(), "200", func() []byte { return ask })
	})
	fmt.Printf("FIGURE status_reads %.0f per second (%d wanted; the original 552)\n", ours.perSecond, readsWanted)
	fmt.Printf("RATIO status_reads_vs_bare_handler %.2f; processor time %.0f and %.0f us each: %.2f\n",
		ours.perSecond/bare.perSecond, ours.processor, bare.processor, ours.processor/bare.processor)
}
