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
func BenchmarkReader(b *testing.B) {
	event := hangupComplete(b)
	read := map[string]func(*testing.B, string, func()) time.Duration{
		"bare": benchBare, "faxbot": benchReader, "go-eventsocket": benchLibrary,
	}
	took := map[string]float64{}
	for _, name := range []string{"bare", "faxbot", "go-eventsocket"} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(event)))
			b.ReportAllocs()
			addr, start := flood(b, event, b.N)
			took[name] = float64(read[name](b, addr, start).Nanoseconds()) / float64(b.N)
		})
	}
	if took["faxbot"] > 0 && took["go-eventsocket"] > 0 && took["bare"] > 0 {
		fmt.Printf("RATIO reader_events_per_second_vs_go_eventsocket %.1f\n", took["go-eventsocket"]/took["faxbot"])
		fmt.Printf("RATIO reader_time_vs_bare_read %.2f\n", took["faxbot"]/took["bare"])
		fmt.Printf("FIGURE reader_time_per_event %.2f us\n", took["faxbot"]/1000)
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

func benchReader(b *testing.B, addr string, start func()) time.Duration {
	limits := Limits{Frames: 1 << 30}.withDefaults()
	conn, fr, err := dialSwitch(b.Context(), addr, "ClueCon", limits, time.Minute)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	b.ResetTimer()
	start()
	for range b.N {
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
	return b.Elapsed()
}

func benchBare(b *testing.B, addr string, start func()) time.Duration {
	conn, _, err := dialSwitch(b.Context(), addr, "ClueCon", Limits{}.withDefaults(), time.Minute)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	buf := make([]byte, len(hangupComplete(b)))
	b.ResetTimer()
	start()
	for range b.N {
		if _, err := io.ReadFull(conn, buf); err != nil {
			b.Fatal(err)
		}
	}
	return b.Elapsed()
}

func benchLibrary(b *testing.B, addr string, start func()) time.Duration {
	conn, err := eventsocket.Dial(addr, "ClueCon")
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	b.ResetTimer()
	start()
	for range b.N {
		ev, err := conn.ReadEvent()
		if err != nil {
			b.Fatal(err)
		}
		if ev.Get("Event-Name") != "CHANNEL_HANGUP_COMPLETE" {
			b.Fatal(ev.Get("Event-Name"))
		}
	}
	return b.Elapsed()
}
