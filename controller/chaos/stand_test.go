package chaos_test

import (
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"faxbot/controller/document/bucket/buckettest"
	"faxbot/controller/store/pgtest"

	_ "github.com/lib/pq" // to make retries due
)

// stand is a fleet: PostgreSQL, an S3 server, switches and daemons, all in
// processes of their own, with a wire wherever two of them talk. Rounds come one
// after the other.
type stand struct {
	dir      string
	postgres *pgtest.Server
	bucket   *buckettest.Server
	lease    time.Duration
	tally    *tally
	switches []*switchProcess
	daemons  []*daemon
	commands [][]*wire // by daemon and switch
	calls    []*wire   // by daemon
	database []*wire   // by daemon
	lucky    atomic.Uint32

	mended sync.WaitGroup // what faults have broken for a while
}

var switchNames = []string{"west", "east"}

// newStand makes a fleet of so many hosts, or skips the test where a server is
// missing.
func newStand(t *testing.T, hosts int, lease time.Duration, seed uint64, count *tally) *stand {
	t.Helper()
	s := &stand{dir: t.TempDir(), bucket: buckettest.RunT(t), lease: lease, tally: count}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if s.postgres, err = pgtest.Start(pgtest.Quick); err != nil {
		t.Skipf("no PostgreSQL: %v", err)
	}
	t.Cleanup(func() {
		if err := s.postgres.Remove(); err != nil {
			t.Error(err)
		}
	})
	for i, name := range switchNames {
		sw := &switchProcess{dir: s.dir, name: name, seed: seed + uint64(i)}
		check(sw.start())
		t.Cleanup(sw.kill)
		s.switches = append(s.switches, sw)
	}
	for i := range hosts {
		check(s.addDaemon(t, i, seed))
	}
	for _, d := range s.daemons {
		check(d.start())
	}
	return s
}

func (s *stand) addDaemon(t *testing.T, i int, seed uint64) error {
	d := &daemon{program: program}
	at, err := url.Parse(s.postgres.URL)
	if err != nil {
		return err
	}
	const socket = ".s.PGSQL.5432"
	real := filepath.Join(at.Query().Get("host"), socket)
	near := filepath.Join(s.dir, fmt.Sprint("pg", i))
	if err := os.Mkdir(near, 0o700); err != nil {
		return err
	}
	database, err := newWireAt(filepath.Join(near, socket), toSwitch, func() string { return real })
	if err != nil {
		return err
	}
	t.Cleanup(database.close)
	if d.door, err = newWire(toDaemon, func() string { return d.at(forSockets) }); err != nil {
		return err
	}
	t.Cleanup(d.door.close)
	d.door.shut() // until it is up
	var commands []*wire
	var list []string
	for n, sw := range s.switches {
		w, err := newWire(toSwitch, sw.Addr)
		if err != nil {
			return err
		}
		t.Cleanup(w.close)
		commands = append(commands, w)
		list = append(list, fmt.Sprintf("%s=%s socket=%s", switchNames[n], w.addr(), d.door.addr()))
	}
	query := at.Query()
	query.Set("host", near)
	at.RawQuery = query.Encode()
	log, err := os.Create(filepath.Join(s.dir, fmt.Sprintf("daemon%d.log", i)))
	if err != nil {
		return err
	}
	t.Cleanup(func() { log.Close() })
	luck := rand.New(rand.NewPCG(seed, uint64(i)<<32))
	d.heard = s.heard
	d.log, d.pause = log, func() time.Duration { return time.Duration(luck.IntN(6000)) * time.Millisecond }
	b := s.bucket.Config
	d.env = []string{
		"API_KEY=" + apiKey, "FREESWITCH_HOOK_SECRET=" + hookSecret, "FAXBOT_SWITCHES=" + strings.Join(list, "; "),
		"STORAGE_BACKEND=s3", "S3_BUCKET=" + b.Name, "S3_REGION=" + b.Region, "S3_ENDPOINT_URL=" + b.Endpoint,
		"AWS_ACCESS_KEY_ID=" + b.AccessKey, "AWS_SECRET_ACCESS_KEY=" + b.SecretKey,
	}
	d.args = []string{
		"serve", "--listen=127.0.0.1:0", "--internal-listen=127.0.0.1:0", "--socket-listen=127.0.0.1:0",
		"--gateway-name=carrier", "--gateway-cps=1000", "--grace=2s", "--lease=" + s.lease.String(),
		"--database-url=" + at.String(), "--data-dir=" + filepath.Join(s.dir, fmt.Sprint("documents", i)),
		"--host=" + fmt.Sprint("host", i), "--log-format=json", "--log-level=debug",
	}
	t.Cleanup(d.close)
	s.daemons, s.calls = append(s.daemons, d), append(s.calls, d.door)
	s.commands, s.database = append(s.commands, commands), append(s.database, database)
	return nil
}

// heard counts what a daemon has said, perhaps of another one.
func (s *stand) heard(message, host string) {
	s.tally.said(message)
	if by[message] != adopted {
		return
	}
	for i, d := range s.daemons {
		if host == fmt.Sprint("host", i) && !d.silent.touch(time.Now().Add(-4*s.lease), time.Now()) {
			s.tally.add(robbed)
		}
	}
}

// at is an address of a daemon that answers, of each in turn.
func (s *stand) at(door string) string {
	for range s.daemons {
		d := s.daemons[int(s.lucky.Add(1))%len(s.daemons)]
		if address := d.at(door); address != "" && !d.frozen.Load() {
			return address
		}
	}
	return ""
}

// wires are all that may have traps.
func (s *stand) wires() []*wire {
	all := append(slices.Clone(s.calls), s.database...)
	for _, of := range s.commands {
		all = append(all, of...)
	}
	return all
}

// alter changes the database behind everybody's back.
func (s *stand) alter(query string) error {
	db, err := sql.Open("postgres", s.postgres.URL)
	if err != nil {
		return err
	}
	_, err = db.Exec(query)
	return errors.Join(err, db.Close())
}

// charged is what a fax has used up of the calls that it may have.
func (s *stand) charged(id string) (dials, tries int, err error) {
	db, err := sql.Open("postgres", s.postgres.URL)
	if err != nil {
		return 0, 0, err
	}
	err = db.QueryRow("SELECT dials, tries FROM jobs WHERE id = $1", id).Scan(&dials, &tries)
	return dials, tries, errors.Join(err, db.Close())
}
