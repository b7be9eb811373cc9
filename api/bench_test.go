package api_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"faxbot/controller/fax"
)

// quiet is a stand without a log and without calls.
func quiet(c *settings) {
	c.api.Logger, c.docs.Logger = slog.New(slog.DiscardHandler), slog.New(slog.DiscardHandler)
	c.link.Address = "127.0.0.1:1"
}

// measure runs do from many clients at once and reports how many were done in a
// second, and how long half of them and all but a hundredth took at most.
func measure(b *testing.B, do func(client *http.Client) error) {
	b.Helper()
	var mu sync.Mutex
	var all []time.Duration
	b.SetParallelism(16)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		transport := &http.Transport{}
		defer transport.CloseIdleConnections()
		client := &http.Client{Transport: transport}
		var took []time.Duration
		for pb.Next() {
			began := time.Now()
			if err := do(client); err != nil {
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
		return
	}
	slices.Sort(all)
	b.ReportMetric(float64(len(all))/b.Elapsed().Seconds(), "requests/s")
	b.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, "p99-ms")
}

func ask(client *http.Client, method, url, kind string, body []byte, want int) error {
	r, err := http.NewRequest(method, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("X-API-Key", key)
	r.Header.Set("Content-Type", kind)
	res, err := client.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return err
	}
	if res.StatusCode != want {
		return fmt.Errorf("%s, want %d", res.Status, want)
	}
	return nil
}

const onePage = "%PDF-1.4\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n2 0 obj\n<< /Type /Pages /Count 1 /Kids [3 0 R] >>\nendobj\n" +
	"3 0 obj\n<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] >>\nendobj\ntrailer << /Size 4 /Root 1 0 R >>\nstartxref\n9\n%%EOF\n"

// Submissions of a one-page PDF that are durable, in SQLite on disk, while
// their pages are drawn. The original Faxbot: 9 per second.
func BenchmarkSubmit(b *testing.B) {
	s := newStand(b, quiet)
	var n atomic.Int64
	measure(b, func(client *http.Client) error {
		to := fmt.Sprintf("+1555%07d", n.Add(1))
		body, kind := form(field("to", to), part{"file", "fax.pdf", "application/pdf", onePage})
		return ask(client, "POST", "http://"+s.public+"/fax", kind, body, http.StatusAccepted)
	})
}

// Reads of the status of a fax. The original Faxbot: 552 per second.
func BenchmarkStatus(b *testing.B) {
	s := newStand(b, quiet)
	id := s.send(number)
	s.until(id, fax.Queued)
	measure(b, func(client *http.Client) error {
		return ask(client, "GET", "http://"+s.public+"/fax/"+id, "", nil, http.StatusOK)
	})
}
