package freeswitch

import (
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"faxbot/events"

	"github.com/fiorix/go-eventsocket/eventsocket"
)

// The same recorded CHANNEL_HANGUP_COMPLETE, over loopback TCP, read by us, by
// go-eventsocket and by nobody who understands it. The writer is the same.
var readers = []struct {
	name string
	read func(b *testing.B, addr string, start func(), n int) time.Duration
}{{"bare", benchBare}, {"faxbot", benchReader}, {"go-eventsocket", benchLibrary}}

func BenchmarkReader(b *testing.B) {
	event := hangupComplete(b)
	for _, r := range readers {
		b.Run(r.name, func(b *testing.B) {
			b.SetBytes(int64(len(event)))
			b.ReportAllocs()
			addr, start := flood(b, event, b.N)
			r.read(b, addr, start, b.N)
		})
	}
	// In turns, so that what else the machine does hits all three; the
	// best turn of each is the one that was disturbed least.
	const turns, n = 15, 1000
	best := map[string]float64{}
	for range turns {
		for _, r := range readers {
			addr, start := flood(b, event, n)
			took := float64(r.read(b, addr, start, n).Nanoseconds()) / n
			if best[r.name] == 0 || took < best[r.name] {
				best[r.name] = took
			}
		}
	}
	fmt.Printf("\n  wanted: at least 12 times the events per second of go-eventsocket, at most twice the time of a bare read\n")
	fmt.Printf("RATIO reader_events_per_second_vs_go_eventsocket %.1f\n", best["go-eventsocket"]/best["faxbot"])
	fmt.Printf("RATIO reader_time_vs_bare_read %.2f\n", best["faxbot"]/best["bare"])
	for _, r := range readers {
		fmt.Printf("FIGURE reader_time_per_event_%s %.2f us\n", r.name, best[r.name]/1000)
	}
}

// flood listens for one client and, once it has given the password and start
// was called, sends it the event n times.
func flood(b *testing.B, event []byte, n int) (addr string, start func()) {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	done, begin := make(chan error, 1), make(chan struct{})
	start = sync.OnceFunc(func() { close(begin) })
	b.Cleanup(func() {
		l.Close()
		start()
		if err := <-done; err != nil {
			b.Error(err)
		}
	})
	go func() {
		done <- func() error {
			conn, err := l.Accept()
			if err != nil {
				return err
			}
			defer conn.Close()
			if err := greet(conn); err != nil {
				return err
			}
			<-begin
			for range n {
				if _, err := conn.Write(event); err != nil {
					return err
				}
			}
			// go-eventsocket loses what it has read when the peer closes.
			io.Copy(io.Discard, conn)
			return nil
		}()
	}()
	return l.Addr().String(), start
}

// greet speaks the switch's side of the password.
func greet(conn net.Conn) error {
	if _, err := io.WriteString(conn, "Content-Type: auth/request\n\n"); err != nil {
		return err
	}
	if _, err := newFrameReader(conn, &unlimited, nil).next(); err != nil {
		return err
	}
	_, err := io.WriteString(conn, "Content-Type: command/reply\nReply-Text: +OK accepted\n\n")
	return err
}

func benchReader(b *testing.B, addr string, start func(), n int) time.Duration {
	limits := Limits{Frames: 1 << 30}.withDefaults()
	conn, fr, err := dialSwitch(b.Context(), addr, "ClueCon", limits, time.Minute)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	b.ResetTimer()
	began := time.Now()
	start()
	for range n {
		f, err := fr.next()
		if err != nil {
			b.Fatal(err)
		}
		if f.kind() != eventPlain {
			b.Fatal(f.kind())
		}
		ev, err := events.Parse(f.body)
		if err != nil {
			b.Fatal(err)
		}
		if _, ok := ev.(*events.CallEnded); !ok {
			b.Fatalf("%T", ev)
		}
	}
	return time.Since(began)
}

func benchBare(b *testing.B, addr string, start func(), n int) time.Duration {
	conn, _, err := dialSwitch(b.Context(), addr, "ClueCon", Limits{}.withDefaults(), time.Minute)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	buf := make([]byte, len(hangupComplete(b)))
	b.ResetTimer()
	began := time.Now()
	start()
	for range n {
		if _, err := io.ReadFull(conn, buf); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(began)
}

func benchLibrary(b *testing.B, addr string, start func(), n int) time.Duration {
	conn, err := eventsocket.Dial(addr, "ClueCon")
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	b.ResetTimer()
	began := time.Now()
	start()
	for range n {
		ev, err := conn.ReadEvent()
		if err != nil {
			b.Fatal(err)
		}
		if ev.Get("Event-Name") != "CHANNEL_HANGUP_COMPLETE" {
			b.Fatal(ev.Get("Event-Name"))
		}
	}
	return time.Since(began)
}
