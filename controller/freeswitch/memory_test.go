package freeswitch

import (
	"runtime"
	"runtime/debug"
	"slices"
	"testing"
)

// maxIdle is what the line may hold for a call in which nothing happens, of the
// 12 KiB that the daemon may in all: stack, heap and buffers of this package,
// and here also the other end of the connection.
const maxIdle = 8 << 10

// A call that waits costs a goroutine and little else.
func TestMemoryOfAnIdleCall(t *testing.T) {
	if info, ok := debug.ReadBuildInfo(); ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		t.Skip("the race detector makes stacks larger")
	}
	const calls = 200
	used := func() (stack, heap uint64) {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.StackInuse, m.HeapAlloc
	}
	h := newHouse(t, Limits{}, Timers{})
	h.before = func() { deep(t, 40) }
	open := func(n int) {
		for range n {
			p, g := h.connect()
			p.say(subscribed)
			p.hear("sendmsg")
			p.say(reply("+OK"), event("CUSTOM", uuidOf(callID), "Event-Subclass: spandsp%3A%3Atxfaxnegociateresult"))
			for heard := 0; heard == 0; {
				g.mu.Lock()
				heard = len(g.events)
				g.mu.Unlock()
				runtime.Gosched()
			}
			p.in = nil
		}
	}
	open(10)
	stack, heap := used()
	open(calls)
	stackAfter, heapAfter := used()
	// The peers in this process are part of it.
	total := (int64(stackAfter) - int64(stack) + int64(heapAfter) - int64(heap)) / calls
	t.Logf("stack %d", (int64(stackAfter)-int64(stack))/calls)
	t.Logf("heap %d", (int64(heapAfter)-int64(heap))/calls)
	if total > maxIdle {
		t.Errorf("%d bytes for an idle call; at most %d", total, maxIdle)
	}
}

// deep needs as much stack as a session that stores things does.
func deep(t *testing.T, n int) (sum byte) {
	var room [128]byte
	room[n] = byte(n)
	if n > 0 {
		sum = deep(t, n-1)
	}
	for _, b := range room {
		sum += b
	}
	return sum
}
