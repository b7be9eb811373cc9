package controller_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"faxbot/controller"
	"faxbot/controller/fax"
	"faxbot/controller/freeswitch/simulator"
	"faxbot/controller/store"
	"faxbot/controller/store/pgtest"
)

// The connection to the database dies while it commits a submission. Who repeats
// it under its key finds it, and it is sent once; without a key nobody could tell
// the two apart, and the first is given up without a call.
func TestSubmissionInDoubt(t *testing.T) {
	t.Parallel()
	line := newLossy(t, pgtest.RunT(t))
	h := newHouseOn(t, line.url, simulator.Config{Speed: 100}, nil)

	submit := func(to, key string) (fax.Job, bool, error) {
		t.Helper()
		r, err := h.Receive(t.Context())
		if err == nil {
			_, err = r.Add(t.Context(), strings.NewReader("in doubt"))
		}
		if err != nil {
			t.Fatal(err)
		}
		return h.Submit(t.Context(), r, controller.Submission{To: to, IdempotencyKey: key})
	}
	inDoubt := func(to, key string) {
		t.Helper()
		line.loses.Store(&to)
		if _, _, err := submit(to, key); fax.ProblemOf(err) != fax.Unavailable {
			t.Fatalf("submitted in doubt: %v", err)
		}
		if line.loses.Load() != nil {
			t.Fatal("no answer to a commit was lost")
		}
	}
	const with, without = "15551230087", "15551230088"
	inDoubt(with, "key")
	job, again, err := submit(with, "key")
	if err != nil || !again {
		t.Fatalf("submitted again: %v, %v", again, err)
	}
	h.until(job.ID, fax.Done)

	inDoubt(without, "")
	job, again, err = submit(without, "")
	if err != nil || again {
		t.Fatalf("submitted again: %v, %v", again, err)
	}
	h.until(job.ID, fax.Done)
	eventually(t, "the first is given up", func() bool {
		all, err := h.List(t.Context(), store.Filter{To: without})
		return err == nil && len(all) == 2 && all[1].State == fax.Failed
	})
	if n := h.ledger("dial"); n != 2 {
		t.Errorf("%d calls for two faxes", n)
	}
}

// lossy is a line to a database that loses the answer to one commit, and dies.
type lossy struct {
	url   string
	loses atomic.Pointer[string] // that of the transaction in which this is said
	work  sync.WaitGroup
}

func newLossy(t *testing.T, server *pgtest.Server) *lossy {
	t.Helper()
	at, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	settings := at.Query()
	far := filepath.Join(settings.Get("host"), ".s.PGSQL.5432")
	dir := t.TempDir()
	settings.Set("host", dir)
	at.RawQuery = settings.Encode()
	l := &lossy{url: at.String()}
	door, err := net.Listen("unix", filepath.Join(dir, ".s.PGSQL.5432"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		door.Close()
		l.work.Wait()
	})
	l.work.Go(func() {
		for {
			near, err := door.Accept()
			if err != nil {
				return
			}
			l.work.Go(func() { l.carry(near, far) })
		}
	})
	return l
}

func (l *lossy) carry(near net.Conn, address string) {
	defer near.Close()
	far, err := (&net.Dialer{}).DialContext(context.Background(), "unix", address)
	if err != nil {
		return
	}
	defer far.Close()
	var deaf atomic.Bool
	back := make(chan struct{})
	go func() {
		defer close(back)
		for b := make([]byte, 1<<16); ; {
			n, err := far.Read(b)
			if deaf.Load() {
				near.Close() // it has committed
				return
			}
			if _, err2 := near.Write(b[:n]); errors.Join(err, err2) != nil {
				near.Close()
				return
			}
		}
	}()
	var said *string // in this transaction
	for b := make([]byte, 1<<16); ; {
		n, err := near.Read(b)
		if bytes.Contains(b[:n], []byte("BEGIN")) {
			said = nil
		}
		if word := l.loses.Load(); word != nil && bytes.Contains(b[:n], []byte(*word)) {
			said = word
		}
		if said != nil && bytes.Contains(b[:n], []byte("COMMIT")) {
			deaf.Store(l.loses.CompareAndSwap(said, nil))
		}
		if _, err2 := far.Write(b[:n]); errors.Join(err, err2) != nil {
			break
		}
	}
	far.Close()
	<-back
}
