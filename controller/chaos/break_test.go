package chaos_test

import (
	"database/sql"
	"syscall"
	"time"
)

// What is done to the parts of a fleet. Each is mended after the outage.

// breakFor mends after a while what is broken.
func (s *stand) breakFor(d time.Duration, mend func()) {
	s.mended.Add(1)
	go func() {
		defer s.mended.Done()
		time.Sleep(d)
		mend()
	}()
}

// try complains when something could not be done to the fleet.
func (r *round) try(err error) {
	if err != nil {
		r.complain(unfit, "%v", err)
	}
}

func (r *round) killHost(d int) {
	r.fleet.tally.add(hostsKilled)
	r.fleet.daemons[d].kill()
}

func (r *round) stopHost(d int) {
	r.fleet.tally.add(hostsStopped)
	one := r.fleet.daemons[d]
	one.hush()
	one.frozen.Store(true)
	one.signal(syscall.SIGSTOP)
	r.fleet.breakFor(r.outage, func() {
		one.signal(syscall.SIGCONT)
		one.frozen.Store(false)
		one.blind.end()
		one.silent.end()
	})
}

// killSwitch is kill -9, and a new process after a while.
func (r *round) killSwitch(n int, keepMemory bool) {
	r.fleet.tally.add(switchesKilled)
	sw := r.fleet.switches[n]
	r.crash(sw, keepMemory, sw.kill)
	if !keepMemory {
		r.try(sw.forget())
	}
	r.fleet.breakFor(r.outage, func() { r.try(sw.start()) })
}

func (r *round) stopSwitch(n int) {
	r.fleet.tally.add(switchesStopped)
	r.blind()
	signal := r.fleet.switches[n].signal()
	r.try(signal(syscall.SIGSTOP))
	r.fleet.breakFor(r.outage, func() { r.try(signal(syscall.SIGCONT)) })
}

// killPostgres kills all of its processes, and starts it again after a while.
func (r *round) killPostgres() {
	r.fleet.tally.add(postgresKilled)
	r.silence()
	r.try(r.fleet.postgres.Kill())
	r.fleet.breakFor(r.outage, func() {
		var err error
		// Not as long as one of the old processes is seen.
		if !r.eventually(time.Minute, func() bool { err = r.fleet.postgres.Start(); return err == nil }) {
			r.try(err)
		}
	})
}

// killBackend kills one process of PostgreSQL's, whereupon it ends all others
// and recovers.
func (r *round) killBackend() {
	r.fleet.tally.add(backendsKilled)
	r.silence()
	db, err := sql.Open("postgres", r.fleet.postgres.URL)
	if err != nil {
		r.try(err)
		return
	}
	defer db.Close()
	var pid int
	err = db.QueryRow("SELECT min(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()").Scan(&pid)
	if err == nil {
		err = syscall.Kill(pid, syscall.SIGKILL)
	}
	r.try(err)
}

func (r *round) stopPostgres() {
	r.fleet.tally.add(postgresStopped)
	r.silence()
	thaw, err := r.fleet.postgres.Freeze()
	r.try(err)
	r.fleet.breakFor(r.outage, func() { r.try(thaw()) })
}

// killAround kills PostgreSQL, and the host of a call after that has ended and
// before anybody can be told of it: the result is in the host's journal.
func (r *round) killAround(d int, also func()) {
	r.outage = max(r.outage, 5*time.Second)
	r.killPostgres()
	r.after(4*time.Second, func() {
		r.fleet.daemons[d].hasten()
		r.killHost(d)
		also()
	})
}

func (r *round) killBucket() {
	r.fleet.tally.add(bucketKilled)
	r.fleet.bucket.Kill()
	r.fleet.breakFor(r.outage, func() { r.try(r.fleet.bucket.Start()) })
}

func (r *round) stopBucket() {
	r.fleet.tally.add(bucketStopped)
	r.try(r.fleet.bucket.Signal(syscall.SIGSTOP))
	r.fleet.breakFor(r.outage, func() { r.try(r.fleet.bucket.Signal(syscall.SIGCONT)) })
}

func (r *round) failBucket() {
	r.fleet.tally.add(bucketFailed)
	r.fleet.bucket.Fail(true)
	r.fleet.breakFor(r.outage, func() { r.fleet.bucket.Fail(false) })
}

// cut breaks connections.
func (r *round) cut(wires ...*wire) {
	r.fleet.tally.add(wiresCut)
	for _, w := range wires {
		w.cut()
	}
}

// shut refuses connections for a while.
func (r *round) shut(wires ...*wire) {
	r.fleet.tally.add(wiresShut)
	r.blind()
	r.silence() // it may be a wire to the database
	for _, w := range wires {
		w.shut()
		r.fleet.breakFor(r.outage, func() { r.try(w.listen()) })
	}
}

// hold lets nothing pass for a while, and breaks nothing.
func (r *round) hold(wires ...*wire) {
	r.fleet.tally.add(wiresHeld)
	r.blind()
	r.silence()
	for _, w := range wires {
		r.fleet.breakFor(r.outage, w.hold())
	}
}

// silence notes that no host can renew its leases in the outage.
func (r *round) silence() {
	for _, d := range r.fleet.daemons {
		d.silent.begin()
		r.fleet.breakFor(r.outage+time.Second, d.silent.end)
	}
}

// blind notes that daemons may miss what happens in the outage.
func (r *round) blind() {
	for _, d := range r.fleet.daemons {
		d.blind.begin()
		r.fleet.breakFor(r.outage+time.Second, d.blind.end)
	}
}
