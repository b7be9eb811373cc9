package simulator

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"
	"time"
)

// Entry is one fact about the telephone network, written down when it happens
// and never lost: the referee for "never twice, never lost".
type Entry struct {
	Time time.Time `json:"time"`
	// Kind is "dial", "answer", "page" (the far end confirmed one), "result"
	// (of the fax) or "end" (of the call).
	Kind    string `json:"kind"`
	UUID    string `json:"uuid"`
	Job     string `json:"job,omitempty"`     // the variable faxbot_job_id
	Attempt string `json:"attempt,omitempty"` // the variable faxbot_attempt_id
	Gateway string `json:"gateway,omitempty"`
	Number  string `json:"number"`
	Caller  string `json:"caller,omitempty"` // dial: the calling number
	Header  string `json:"header,omitempty"` // dial: fax_header, decoded
	File    string `json:"file,omitempty"`
	Page    int    `json:"page"`            // page: its index in the file, from 0
	Code    int    `json:"code"`            // result: spandsp's completion code
	Pages   int    `json:"pages"`           // result: confirmed in this call
	Cause   string `json:"cause,omitempty"` // end: the hangup cause
}

type ledger struct {
	mu      sync.Mutex
	entries []Entry
	file    *os.File
}

// open appends to a file of JSON lines as well; each line is one write, so
// that several processes may share the file.
func (l *ledger) open(path string) (err error) {
	if path != "" {
		l.file, err = os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	}
	return err
}

func (l *ledger) add(e Entry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = append(l.entries, e)
	if l.file == nil {
		return nil
	}
	text, err := json.Marshal(e)
	if err == nil {
		_, err = l.file.Write(append(text, '\n'))
	}
	return err
}

func (l *ledger) all() []Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.entries)
}

func (l *ledger) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	err := l.file.Close()
	l.file = nil
	return err
}

// memory is mod_db's table: realm and key to text. With a file every change
// is appended to it and read again at the start.
type memory struct {
	mu   sync.Mutex
	data map[[2]string]string
	file *os.File
}

type change struct {
	Realm string  `json:"realm"`
	Key   string  `json:"key"`
	Value *string `json:"value"` // null: deleted
}

func (m *memory) open(path string) error {
	m.data = make(map[[2]string]string)
	if path == "" {
		return nil
	}
	old, err := os.Open(path)
	if err == nil {
		for in := bufio.NewScanner(old); in.Scan(); {
			var c change
			if json.Unmarshal(in.Bytes(), &c) == nil { // a line cut off by a crash is lost
				m.apply(c)
			}
		}
		err = old.Close()
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read the switch's memory: %w", err)
	}
	m.file, err = os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	return err
}

func (m *memory) apply(c change) {
	if c.Value == nil {
		delete(m.data, [2]string{c.Realm, c.Key})
	} else {
		m.data[[2]string{c.Realm, c.Key}] = *c.Value
	}
}

func (m *memory) change(c change) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.apply(c)
	if m.file != nil {
		if text, err := json.Marshal(c); err == nil {
			_, _ = m.file.Write(append(text, '\n')) // a switch that cannot write its memory goes on
		}
	}
}

func (m *memory) get(realm, key string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.data[[2]string{realm, key}]
}

// forget is what a restart does to a switch whose memory is not kept.
func (m *memory) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.data)
	if m.file != nil {
		_ = m.file.Truncate(0)
	}
}

func (m *memory) close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.file == nil {
		return nil
	}
	err := m.file.Close()
	m.file = nil
	return err
}

// db answers mod_db's api command (mod_db.c, db_api_function).
func (m *memory) db(args string) string {
	argv := separate(args, '/', 4)
	for len(argv) < 4 {
		argv = append(argv, "")
	}
	verb, realm, key, value := argv[0], argv[1], argv[2], argv[3]
	switch {
	case verb == "insert" && value != "":
		m.change(change{realm, key, &value})
		return "+OK"
	case verb == "delete" && realm != "":
		m.change(change{realm, key, nil})
		return "+OK"
	case verb == "select" && key != "":
		return m.get(realm, key)
	case verb == "exists" && key != "":
		return choose(m.get(realm, key) == "", "false", "true")
	}
	return "!err!"
}
