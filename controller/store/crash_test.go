package store

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"faxbot/controller/fax"
)

// childVariable makes the test binary a program that creates jobs in the
// database it names, and prints each id once Create has returned.
const (
	childVariable = "FAXBOT_TEST_CREATE_FOR_EVER"
	creators      = 8
)

func createForEver(databaseURL string) {
	s, err := Open(context.Background(), databaseURL, Options{Host: "child"})
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	for range creators {
		go func() {
			for {
				job, _, err := s.Create(context.Background(), newJob(), Idempotency{})
				if err != nil {
					fmt.Println("error:", err)
					os.Exit(1)
				}
				fmt.Println(job.ID)
			}
		}()
	}
	select {}
}

func TestAcceptedJobsSurviveKill9(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		var accepted []fax.JobID
		for range 3 { // what the second one finds was left by a crash
			accepted = append(accepted, createUntilKilled(t, db)...)
		}
		s := db.open(t, "a")
		for _, id := range accepted {
			if _, err := s.Find(t.Context(), id); err != nil {
				t.Errorf("%s was accepted, then: %v", id, err)
			}
		}
		if n := must(s.Count(t.Context(), Filter{}))(t); n < len(accepted) || n > len(accepted)+3*creators {
			t.Errorf("%d jobs for %d accepted ones", n, len(accepted))
		}
	})
}

// createUntilKilled returns the ids that a child printed before it was killed.
func createUntilKilled(t *testing.T, db database) (accepted []fax.JobID) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childVariable+"="+db.url)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(out)
	read := func() bool {
		line, err := r.ReadString('\n')
		if err != nil {
			return false // the rest of a line does not count
		}
		id, err := fax.ParseJobID(strings.TrimSpace(line))
		if err != nil {
			t.Error(line)
			return false
		}
		accepted = append(accepted, id)
		return true
	}
	for len(accepted) < 200 && read() {
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for read() {
	}
	_, _ = io.Copy(io.Discard, out)
	if err := child.Wait(); err == nil {
		t.Error("the child ended by itself")
	}
	return accepted
}

func TestAFullDiskIsSurvived(t *testing.T) {
	t.Parallel()
	s := sqliteFile(t).open(t, "a")
	if err := s.exec(t, "PRAGMA max_page_count = 120"); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var accepted, refused []fax.JobID
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for {
				job := newJob()
				job.Error = strings.Repeat("x", 2000)
				_, _, err := s.Create(t.Context(), job, Idempotency{})
				mu.Lock()
				if err == nil {
					accepted = append(accepted, job.ID)
				} else {
					refused = append(refused, job.ID)
				}
				mu.Unlock()
				if err != nil {
					wantProblem(t, err, fax.Unavailable)
					if want := "The database cannot store the fax now: the disk is full. Try again later."; err.Error() != want {
						t.Error(err)
					}
					return
				}
			}
		})
	}
	wg.Wait()
	wantProblem(t, s.dialect.explain("", s.exec(t, "CREATE TABLE big AS SELECT randomblob(999999)")), fax.Unavailable)
	if err := s.exec(t, "PRAGMA max_page_count = 100000"); err != nil {
		t.Fatal(err)
	}
	s.queued(t, newJob())
	if len(accepted) == 0 {
		t.Error("nothing was accepted before the disk was full")
	}
	for _, id := range accepted {
		s.find(t, id)
	}
	for _, id := range refused {
		_, err := s.Find(t.Context(), id)
		wantProblem(t, err, fax.NotFound)
	}
}

// Calls that share a transaction do not share their errors.
func TestOneCallsErrorDoesNotSpoilTheBatch(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		s := db.open(t, "a")
		twin := s.received(t, newJob())
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				job := newJob()
				if i%3 == 0 {
					job.ID = twin.ID // the primary key refuses it
				}
				_, _, err := s.Create(t.Context(), job, Idempotency{})
				if (err != nil) != (i%3 == 0) {
					t.Errorf("%d: %v", i, err)
				}
			})
		}
		wg.Wait()
		if n := must(s.Count(t.Context(), Filter{}))(t); n != 67 {
			t.Errorf("%d jobs", n)
		}
		if s.find(t, twin.ID) != twin {
			t.Error("a job was overwritten")
		}
	})
}

func TestCloseRefusesLateWrites(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), sqliteFile(t).url, Options{Host: "a"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	_, _, err = s.Create(t.Context(), newJob(), Idempotency{})
	wantProblem(t, err, fax.Unavailable)
}
