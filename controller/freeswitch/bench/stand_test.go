package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"faxbot/controller/document"
	"faxbot/controller/fax"
	"faxbot/controller/freeswitch/simulator"
	"faxbot/controller/store"
)

// stand is a folder with a daemon's data, and the two processes.
type stand struct {
	b      *testing.B
	dir    string
	binary string
	jobs   map[fax.JobID]fax.Number

	daemon, sim       *exec.Cmd
	public, internal  string
	socket, simulated string
}

const apiKey = "bench"

func newStand(b *testing.B) *stand {
	b.Helper()
	s := &stand{b: b, dir: b.TempDir(), jobs: map[fax.JobID]fax.Number{}}
	s.binary = filepath.Join(s.dir, "faxbot")
	build := exec.Command("go", "build", "-trimpath", "-o", s.binary, "faxbot/cmd/faxbot")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	s.public, s.internal, s.socket, s.simulated = freeAddr(b), freeAddr(b), freeAddr(b), freeAddr(b)
	return s
}

// freeAddr is an address that nobody uses at the moment.
func freeAddr(b *testing.B) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (s *stand) file(name string) string { return filepath.Join(s.dir, name) }

func (s *stand) open(host string) *store.Store {
	s.b.Helper()
	db, err := store.Open(context.Background(), "sqlite:///"+s.file("faxbot.db"), store.Options{Host: host})
	if err != nil {
		s.b.Fatal(err)
	}
	return db
}

// queue stores jobs that wait for their time, as the daemon itself would after
// their conversion; all share one document, which is converted once. due says
// when the nth is due.
func (s *stand) queue(pages int, numbers []fax.Number, due func(n int) time.Time) {
	s.b.Helper()
	ctx := context.Background()
	docs, err := document.Open(document.Config{Dir: s.file("data")})
	if err != nil {
		s.b.Fatal(err)
	}
	defer docs.Close()
	model := fax.NewJobID()
	r, err := docs.Receive(ctx, model)
	if err != nil {
		s.b.Fatal(err)
	}
	if _, err := r.Add(ctx, strings.NewReader("A page.\n"+strings.Repeat("\fAnother.\n", pages-1))); err != nil {
		s.b.Fatal(err)
	}
	if err := r.Commit(); err != nil {
		s.b.Fatal(err)
	}
	if made, err := docs.Prepare(ctx, model, document.Options{}); err != nil || made.Pages != pages {
		s.b.Fatalf("%d pages, %v", made.Pages, err)
	}
	db := s.open("loader")
	defer db.Close()
	var g errgroup.Group
	g.SetLimit(200)
	for i, number := range numbers {
		job := fax.Job{ID: fax.NewJobID(), To: number, Documents: 1, Priority: fax.DefaultPriority, DueAt: due(i)}
		s.jobs[job.ID] = number
		g.Go(func() error {
			if err := share(filepath.Dir(docs.TIFF(model)), filepath.Dir(docs.TIFF(job.ID))); err != nil {
				return err
			}
			if _, _, err := db.Create(ctx, job, store.Idempotency{}); err != nil {
				return err
			}
			return db.Prepared(ctx, job.ID, fax.Facts{Sheets: make([]fax.Sheet, pages)})
		})
	}
	if err := g.Wait(); err != nil {
		s.b.Fatal(err)
	}
}

// share links the files of a job to another's folder.
func share(from, to string) error {
	if err := os.MkdirAll(to, 0o750); err != nil {
		return err
	}
	files, err := os.ReadDir(from)
	for _, f := range files {
		err = errors.Join(err, os.Link(filepath.Join(from, f.Name()), filepath.Join(to, f.Name())))
	}
	return err
}

// start runs both processes until the daemon is ready.
func (s *stand) start(speed string) {
	s.b.Helper()
	s.sim = s.spawn("simulate", "--listen", s.simulated, "--speed", speed, "--ledger", s.file("ledger"), "--log-level", "warn")
	_, port, err := net.SplitHostPort(s.simulated)
	if err != nil {
		s.b.Fatal(err)
	}
	s.daemon = s.spawn("serve",
		"--listen", s.public, "--internal-listen", s.internal, "--socket-listen", s.socket,
		"--database-url", "sqlite:///"+s.file("faxbot.db"), "--data-dir", s.file("data"), "--host", "bench",
		"--freeswitch-host", "127.0.0.1", "--freeswitch-port", port,
		"--gateway-name", "carrier", "--gateway-channels", "12000", "--gateway-cps", "1000", "--log-level", "warn")
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if r, err := http.Get("http://" + s.public + "/health/ready"); err == nil {
			r.Body.Close()
			if r.StatusCode == http.StatusOK {
				return
			}
		}
		if time.Now().After(end) {
			s.b.Fatal("the daemon did not become ready")
		}
	}
}

func (s *stand) spawn(args ...string) *exec.Cmd {
	s.b.Helper()
	log, err := os.Create(s.file(args[0] + ".log"))
	if err != nil {
		s.b.Fatal(err)
	}
	c := exec.Command(s.binary, args...)
	c.Dir, c.Stdout, c.Stderr = s.dir, log, log
	c.Env = append(os.Environ(), "API_KEY="+apiKey)
	if err := c.Start(); err != nil {
		s.b.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.Wait()
	}()
	s.b.Cleanup(func() {
		c.Process.Kill()
		<-done
		log.Close()
		if said, _ := os.ReadFile(log.Name()); len(said) > 0 {
			s.b.Logf("%s said:\n%.3000s", args[0], said)
		}
	})
	return c
}

// end ends the daemon in good order, and with it all writing.
func (s *stand) end() {
	s.b.Helper()
	s.daemon.Process.Signal(syscall.SIGTERM)
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if s.daemon.Process.Signal(syscall.Signal(0)) != nil {
			return
		}
		if time.Now().After(end) {
			s.b.Fatal("the daemon does not end")
		}
	}
}

// metric is the sum of a metric's values over its labels.
func (s *stand) metric(name string) (sum float64) {
	s.b.Helper()
	r, err := http.Get("http://" + s.internal + "/metrics")
	if err != nil {
		s.b.Fatal(err)
	}
	defer r.Body.Close()
	for in := bufio.NewScanner(r.Body); in.Scan(); {
		key, value, _ := strings.Cut(in.Text(), " ")
		if bare, _, _ := strings.Cut(key, "{"); bare == name {
			v, err := strconv.ParseFloat(value, 64)
			if err != nil {
				s.b.Fatal(err)
			}
			sum += v
		}
	}
	return sum
}

// resident is the daemon's memory in bytes.
func (s *stand) resident() int {
	s.b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.daemon.Process.Pid))
	if err != nil {
		s.b.Fatal(err)
	}
	var kB int
	_, after, _ := strings.Cut(string(status), "VmRSS:")
	if _, err := fmt.Sscan(after, &kB); err != nil {
		s.b.Fatal(err)
	}
	return kB << 10
}

// fsyncs is how long the disk takes to keep a few pages.
func (s *stand) fsyncs(n int) (took []time.Duration) {
	s.b.Helper()
	f, err := os.Create(s.file("fsync"))
	if err != nil {
		s.b.Fatal(err)
	}
	defer f.Close()
	for page := make([]byte, 8192); len(took) < n; {
		began := time.Now()
		if _, err := f.Write(page); err != nil {
			s.b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			s.b.Fatal(err)
		}
		took = append(took, time.Since(began))
	}
	return took
}

// cpu is the processor time that the daemon has used.
func (s *stand) cpu() time.Duration {
	s.b.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.daemon.Process.Pid))
	if err != nil {
		s.b.Fatal(err)
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(after)
	var ticks time.Duration
	for _, f := range fields[11:13] { // utime and stime, proc(5)
		n, err := strconv.Atoi(f)
		if err != nil {
			s.b.Fatal(err)
		}
		ticks += time.Duration(n)
	}
	return ticks * time.Second / 100 // USER_HZ
}

// follow passes on what the switch notes, as it does, until it is told to stop.
func (s *stand) follow(ctx context.Context, note func(simulator.Entry)) error {
	f, err := os.Open(s.file("ledger"))
	if err != nil {
		return err
	}
	defer f.Close()
	in := bufio.NewReader(f)
	var line []byte
	for ctx.Err() == nil {
		part, err := in.ReadBytes('\n')
		line = append(line, part...)
		if errors.Is(err, io.EOF) {
			time.Sleep(500 * time.Microsecond)
			continue
		}
		if err != nil {
			return err
		}
		var e simulator.Entry
		if err := json.Unmarshal(line, &e); err != nil {
			return err
		}
		line = line[:0]
		note(e)
	}
	return nil
}

// ledger is all that the switch noted.
func (s *stand) ledger() (all []simulator.Entry) {
	s.b.Helper()
	f, err := os.Open(s.file("ledger"))
	if err != nil {
		s.b.Fatal(err)
	}
	defer f.Close()
	for in := json.NewDecoder(f); ; {
		var e simulator.Entry
		if err := in.Decode(&e); err == io.EOF {
			return all
		} else if err != nil {
			s.b.Fatal(err)
		}
		all = append(all, e)
	}
}
