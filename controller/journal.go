package controller

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"faxbot/controller/fax"
)

// journal keeps the results of calls on this host's disk while the database
// cannot take them, so that they outlive the daemon, too: a file for each call,
// gone when its result is stored. No call is placed without the database, so
// there are never more files than calls under way.
type journal struct{ dir string } // "" keeps nothing

// patienceWithDatabase is how long a result may take to be stored before it is
// kept here.
const patienceWithDatabase = 500 * time.Millisecond

// verdictFile is what one holds. The first result of a call stands, so writing
// one to the database again is harmless.
type verdictFile struct {
	Attempt fax.AttemptID
	At      time.Time
	Result  fax.Result
}

const unfinished = ".new"

func openJournal(dir string) (journal, error) {
	if dir == "" {
		return journal{}, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return journal{}, fmt.Errorf("the journal of results: %w", err)
	}
	// The folder itself must not be lost with the power either.
	if err := syncFolder(filepath.Dir(dir)); err != nil {
		return journal{}, fmt.Errorf("the journal of results: %w", err)
	}
	return journal{dir}, nil
}

func syncFolder(dir string) error {
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

func (j journal) file(id fax.AttemptID) string { return filepath.Join(j.dir, string(id)+".json") }

// all returns what is kept, the earliest first. What cannot be read is left and
// told.
func (j journal) all() (list []verdictFile, err error) {
	if j.dir == "" {
		return nil, nil
	}
	names, err := os.ReadDir(j.dir)
	errs := []error{err}
	for _, name := range names {
		if strings.HasSuffix(name.Name(), unfinished) {
			continue // a daemon died while it wrote; the switch knows
		}
		var v verdictFile
		text, err := os.ReadFile(filepath.Join(j.dir, name.Name()))
		if err == nil {
			err = json.Unmarshal(text, &v)
		}
		if err == nil && name.Name() != filepath.Base(j.file(v.Attempt)) {
			err = errors.New("it is not of the call that it is named for")
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name.Name(), err))
			continue
		}
		list = append(list, v)
	}
	slices.SortFunc(list, func(a, b verdictFile) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Attempt, b.Attempt)) })
	return list, errors.Join(errs...)
}

// keep makes a result durable.
func (j journal) keep(v verdictFile) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	file := j.file(v.Attempt)
	f, err := os.OpenFile(file+unfinished, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(file+unfinished, file); err != nil {
		return err
	}
	return syncFolder(j.dir)
}

// drop forgets a result that the database has.
func (j journal) drop(id fax.AttemptID) error {
	if err := os.Remove(j.file(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// page is the journal's page for one result that is being stored.
type page struct {
	k       *call
	verdict verdictFile
	late    *time.Timer

	mu      sync.Mutex
	written bool   // or there is no need any more
	where   string // the result is kept meanwhile; "" while nobody worries
}

// Where a result is that the database has not taken.
const (
	inJournal = "journal"
	inMemory  = "memory" // only: the disk does not take it either
)

// keptIn counts the results that wait; p.mu is held.
func (p *page) keptIn(where string) {
	if p.where != "" {
		p.k.c.metrics.waiting.WithLabelValues(p.where).Dec()
	}
	if p.where = where; where != "" {
		p.k.c.metrics.waiting.WithLabelValues(where).Inc()
	}
}

// journal opens the page for a result: it is written in a moment, unless it is
// closed before.
func (k *call) journal(r fax.Result) *page {
	p := &page{k: k, verdict: verdictFile{k.id, time.Now(), r}}
	p.written = k.c.journal.dir == ""
	p.late = time.AfterFunc(patienceWithDatabase, p.write)
	return p
}

// write keeps the result on disk. Where that fails it is tried again with each
// try of the database.
func (p *page) write() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.written {
		return
	}
	if err := p.k.c.journal.keep(p.verdict); err != nil {
		p.keptIn(inMemory)
		p.k.log().Error("the result could not be kept in the journal either and will be tried again; should the daemon end now, only the switch knows it", "error", err)
		return
	}
	p.written = true
	p.keptIn(inJournal)
	p.k.log().Warn("the database takes no result; it is kept in the journal until it does", "cause", p.verdict.Result.Cause)
}

// stop writes no more.
func (p *page) stop() {
	p.late.Stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.written = true
	p.keptIn("")
}

// stored forgets what was written.
func (p *page) stored() {
	p.stop()
	if p.k.c.journal.dir == "" {
		return
	}
	if err := p.k.c.journal.drop(p.k.id); err != nil {
		p.k.log().Error("a result that is stored could not be removed from the journal; it is ignored there", "error", err)
	}
}

// replayJournal stores the results that the last run could not.
func (c *Controller) replayJournal(ctx context.Context) error {
	list, err := c.journal.all()
	if err != nil {
		c.log.Error("results in the journal could not be read; the switch is asked for them", "error", err)
	}
	for _, v := range list {
		attempt, err := c.store.Attempt(ctx, v.Attempt)
		if err != nil && fax.ProblemOf(err) != fax.NotFound {
			return err
		}
		log := c.log.With("fax", attempt.JobID, "attempt", v.Attempt, "cause", v.Result.Cause)
		if err != nil || attempt.State == fax.AttemptEnded {
			log.Warn("a result in the journal is of no use: the call has ended, or is unknown to this database")
			if err := c.journal.drop(v.Attempt); err != nil {
				log.Error("it could not be removed", "error", err)
			}
			continue
		}
		k := c.find(v.Attempt)
		if k == nil { // another host has it by now, and cannot know better
			job, err := c.store.Find(ctx, attempt.JobID)
			if err != nil {
				return err
			}
			k = c.newCall(job, attempt)
			c.enter(k)
		}
		log.Info("storing a result that the database could not take in the last run")
		c.spawn(func() { k.conclude(v.Result) })
	}
	return nil
}
