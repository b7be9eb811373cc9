package simulator

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"
)

// BenchmarkEvent renders the largest event; compare with BenchmarkCall for
// what the sockets cost.
func BenchmarkEvent(b *testing.B) {
	s, err := New(Config{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.listener.Close()
	c, _ := s.newCall(order{number: "5551000", gateway: "carrier", vars: []setting{{"faxbot_job_id", "abc"}}})
	for _, step := range strings.Fields("dial answer socket execute run l16 reinvite engine negotiated page down remote bye result pcmu done reported") {
		c.advance(step)
	}
	history := c.history
	var space []byte
	b.ReportAllocs()
	for b.Loop() {
		f := facts{sw: s, at: time.Now(), seq: 1, call: c}
		space, _ = f.frame(space, s.library.template(hangupComplete, history))
	}
	b.SetBytes(int64(len(space)))
}

// controller answers every call the way a controller would, and reads on
// until the switch closes.
func controller(l net.Listener, file string) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			in := bufio.NewReaderSize(conn, 2048)
			_, _ = conn.Write([]byte("connect\n\n"))
			var uuid string
			for {
				ln, err := in.ReadSlice('\n')
				if err != nil {
					return
				}
				if rest, ok := bytes.CutPrefix(ln, []byte("Unique-ID: ")); ok {
					uuid = string(bytes.TrimSpace(rest))
					break
				}
			}
			_, _ = conn.Write([]byte("linger 60\n\n" + faxEvents + "\n\nfilter Unique-ID " + uuid +
				"\n\nsendmsg\ncall-command: execute\nexecute-app-name: txfax\nexecute-app-arg: " + file + "\n\n"))
			for {
				ln, err := in.ReadSlice('\n')
				if err != nil && err != bufio.ErrBufferFull {
					return
				}
				if bytes.HasPrefix(ln, []byte("Content-Disposition: linger")) {
					_, _ = conn.Write([]byte("exit\n\n"))
				}
			}
		}()
	}
}

// BenchmarkCall is a whole fax with all its events, both ends in this process.
func BenchmarkCall(b *testing.B) {
	d := newDesk(b, Config{})
	file := d.document(1)
	go controller(d.listener, file)
	link, err := net.Dial("tcp", d.s.Addr())
	if err != nil {
		b.Fatal(err)
	}
	defer link.Close()
	go func() { _, _ = io.Copy(io.Discard, link) }()
	_, _ = link.Write([]byte("auth ClueCon\n\nevent plain BACKGROUND_JOB CHANNEL_HANGUP_COMPLETE\n\n"))
	const atOnce = 200
	slots := make(chan struct{}, atOnce)
	b.ReportAllocs()
	for b.Loop() {
		slots <- struct{}{}
		d.s.originate("{faxbot_job_id=abc}sofia/gateway/carrier/5551000 '&socket("+d.listener.Addr().String()+" async full)'", func(string) {})
		go func() {
			for d.s.Calls() > atOnce/2 {
				time.Sleep(time.Millisecond)
			}
			<-slots
		}()
	}
	for d.s.Calls() > 0 {
		time.Sleep(time.Millisecond)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}

// BenchmarkLiveCalls measures what a call costs that is under way: both ends,
// two goroutines of the switch's.
func BenchmarkLiveCalls(b *testing.B) {
	const calls = 2000
	d := newDesk(b, Config{})
	file := d.document(1)
	go controller(d.listener, file)
	memory := func() (uint64, int) {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc + m.StackInuse, runtime.NumGoroutine()
	}
	for b.Loop() {
		before, goroutines := memory()
		for range calls {
			d.s.originate("{faxbot_job_id=abc}sofia/gateway/carrier/1555994004 '&socket("+d.listener.Addr().String()+" async full)'", func(string) {})
		}
		for stalled := 0; stalled < calls; {
			stalled = 0
			for _, c := range d.s.snapshot() {
				c.mu.Lock()
				if c.fax.started {
					stalled++
				}
				c.mu.Unlock()
			}
			time.Sleep(10 * time.Millisecond)
		}
		after, now := memory()
		b.ReportMetric(float64(after-before)/calls/1024, "KiB/call")
		b.ReportMetric(float64(now-goroutines)/calls, "goroutines/call")
		d.s.apiCommand("hupall")
		for runtime.NumGoroutine() > goroutines {
			time.Sleep(time.Millisecond)
		}
	}
}
