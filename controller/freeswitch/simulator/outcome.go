package simulator

import (
	"strconv"
	"strings"
	"time"
)

// Numbers describes, for a person, what the special numbers do. Every other
// number answers after one ring, takes the fax and hangs up.
const Numbers = `Special numbers: 155599XYYY (a leading + is ignored). Any other number takes the fax.

  1555990YYY  the fax succeeds   000 as usual (T.38, 14400 bit/s, ECM)
                                 001 the far end declines T.38: G.711
                                 002 without error correction (ECM)
                                 003 slow: 2400 bit/s
                                 004 at 9600 bit/s
                                 005 G.711, 9600 bit/s, without ECM
                                 006 the far end calls itself <svg/onload=pwned=1>
  1555991YYY  no answer: the call ends with hangup cause YYY (switch_types.h):
                                 017 busy, 019 no answer after ringing, 001 unallocated,
                                 034 congestion, 021 rejected, 808 unknown gateway, ...
  1555992YYY  answered; the fax ends with spandsp's completion code YYY (000-061)
              before any page is confirmed
  1555993YYY  the far end hangs up in the page after page YYY (code 49)
  1555994YYY  the line misbehaves:
                                 001 a person answers (code 2 after 60 s)
                                 002 the call stays up after the result until it is hung up
                                 003 the call's socket connection is cut mid-fax; the fax goes on
                                 004 stalls in the first page
                                 005 stalls before negotiation
                                 006 answers, but never connects to the socket
                                 007 everything arrives byte by byte
                                 008 everything from the fax to the end arrives in one piece
                                 009 the connection closes right after CHANNEL_HANGUP_COMPLETE
                                 010 rings until originate_timeout
  1555995YYY  busy, until the YYYth call to this number, which succeeds
`

// Line is a way in which a call's line or connection misbehaves.
type Line int

// The misbehaviours of a line, as the special numbers 1555994YYY count them.
const (
	Clean      Line = iota // nothing odd
	Person                 // a person answers: no fax tones, code 2
	StaysUp                // after the result nobody hangs up
	Cut                    // the call's connection is cut mid-fax
	StallPage              // the first page never ends
	StallStart             // negotiation never ends
	NoConnect              // the connection to the socket is never made
	Split                  // the connection delivers byte by byte
	Coalesced              // the connection delivers the fax's events in one piece
	NoNotice               // the connection closes after CHANNEL_HANGUP_COMPLETE
	RingsOn                // nobody ever answers
	lines
)

// Outcome says how a call to a number ends. The zero Outcome is success.
type Outcome struct {
	// Cause is the name of the hangup cause of a call that is not answered.
	Cause string
	// Ring is how long the phone rings first, divided by Config.Speed. A call
	// rings no longer than its originate_timeout.
	Ring time.Duration
	// Code is spandsp's completion code of a fax that fails; Pages are
	// confirmed before.
	Code  int
	Pages int
	// Drops makes the far end hang up in the page after Pages; the code is 49.
	Drops bool
	Line  Line
	// BusyBefore calls to the number end with USER_BUSY before one succeeds.
	BusyBefore int
	NoT38      bool   // the far end declines T.38
	NoECM      bool   // the far end has no error correction
	NoFine     bool   // the far end prints standard resolution only: code 11
	Station    string // what the far end calls itself (CSI)
	// Vendor and Model are what the far end's NSF tells spandsp.
	Vendor, Model string
	Rate          int // bit/s; 0 is 14400, or 9600 without V.17
}

// outcomeOf reads the table of special numbers.
func outcomeOf(number string) Outcome {
	digits, special := strings.CutPrefix(strings.TrimPrefix(number, "+"), "155599")
	if !special || len(digits) != 4 {
		return Outcome{}
	}
	y, err := strconv.Atoi(digits[1:])
	if err != nil || y < 0 {
		return Outcome{}
	}
	switch digits[0] {
	case '0':
		variants := []Outcome{
			1: {NoT38: true}, 2: {NoECM: true}, 3: {Rate: 2400}, 4: {Rate: 9600},
			5: {NoT38: true, NoECM: true, Rate: 9600}, 6: {Station: "<svg/onload=pwned=1>"},
		}
		if y < len(variants) {
			return variants[y]
		}
	case '1':
		if c, ok := causeByNumber(y); ok && y > 0 {
			return Outcome{Cause: c.name}
		}
	case '2':
		if y < len(completionTexts) {
			return Outcome{Code: y}
		}
	case '3':
		return Outcome{Code: 49, Drops: true, Pages: y}
	case '4':
		if Line(y) < lines {
			return Outcome{Line: Line(y)}
		}
	case '5':
		return Outcome{BusyBefore: max(y-1, 0)}
	}
	return Outcome{}
}
