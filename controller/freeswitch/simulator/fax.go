package simulator

import (
	"cmp"
	"errors"
	"io/fs"
	"strconv"
	"strings"
	"time"
)

// fax is what the channel of a running or finished fax says of it.
type fax struct {
	file          string
	noV17         bool
	wantECM       bool
	ecm           bool
	rate          int // bit/s
	t38           string
	local, remote string
	pages, total  int // confirmed in this call; in the file
	image         image
	started       bool // a page was begun
	code          int
}

// The times of a recorded fax at 14400 bit/s with ECM.
const (
	toNegotiation = 7660 * time.Millisecond
	training      = 6600 * time.Millisecond // between negotiation and the first page
	pageTime      = 17700 * time.Millisecond
	toHangup      = 1180 * time.Millisecond // after the last page
	intoPage      = 3770 * time.Millisecond // where a far end that drops drops
	noECMFactor   = 1.9                     // a page without ECM takes longer
)

// silence is how long spandsp waits for a far end that is no fax: completion
// codes that come before negotiation.
var silence = map[int]time.Duration{
	1: 8 * time.Second, 2: 60300 * time.Millisecond, 3: 38 * time.Second, 5: 12 * time.Second,
	13: 10 * time.Second, 17: 10 * time.Second, 19: 10 * time.Second,
}

// txfax sends the pages of a file (mod_spandsp_fax.c).
func (c *call) txfax(path string) {
	if path == "" {
		c.respond("Fax TX filename not set")
		return
	}
	pages, err := c.sw.read(path)
	if errors.Is(err, fs.ErrNotExist) {
		c.respond("Cannot send non-existant fax file")
		return
	}
	if c.outcome.Line == Coalesced && c.link != nil {
		c.link.hold(true)
	}
	wantT38 := truthy(c.told("fax_enable_t38")) && truthy(c.told("fax_enable_t38_request"))
	c.prepare(path)
	code := c.negotiate(wantT38)
	if code < 0 {
		code = c.transmit(pages, err)
	}
	if c.dead() {
		return
	}
	c.conclude(code)
	if l := c.link; l != nil && !c.isDown() { // nothing more comes by itself
		l.hold(false)
	}
}

func (c *call) respond(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.response = text
	c.step("response")
}

// prepare reads the settings of the fax from the channel.
func (c *call) prepare(path string) {
	f := fax{file: path, wantECM: true, rate: 14400, t38: "off", local: "SpanDSP Fax Ident", remote: cmp.Or(c.outcome.Station, "SpanDSP Fax Ident")}
	f.noV17 = truthy(c.told("fax_disable_v17"))
	if v := c.told("fax_use_ecm"); v != "" {
		f.wantECM = truthy(v)
	}
	if v := c.told("fax_ident"); v != "" {
		if f.local = decode(v); len(f.local) > 20 { // t30_set_tx_ident refuses more
			f.local = ""
		}
	}
	if f.noV17 {
		f.rate = 9600
	}
	if r := c.outcome.Rate; r > 0 {
		f.rate = min(r, f.rate)
	}
	c.mu.Lock()
	c.fax = f
	c.mu.Unlock()
}

// negotiate is the call's first phase. It returns the completion code of a fax
// that ends there, else -1.
func (c *call) negotiate(wantT38 bool) int {
	o := c.outcome
	code := o.Code
	if o.Line == Person {
		code = 2
	}
	silent, mute := silence[code]
	takesT38 := wantT38 && !o.NoT38 && !mute
	if takesT38 {
		c.advance("l16")
		c.advance("reinvite")
		c.advance("engine")
	} else {
		c.advance("engine")
		c.advance("l16")
		if wantT38 {
			c.advance("declined")
		}
	}
	c.mu.Lock()
	if wantT38 {
		c.fax.t38 = choose(takesT38, "negotiated", "refused")
	}
	c.mu.Unlock()
	switch {
	case o.Line == StallStart:
		c.wait(forever)
		return 49
	case mute:
		return choose(c.wait(silent), code, 49)
	case !c.wait(toNegotiation):
		return 49
	}
	for name, value := range map[string]string{"fax_remote_vendor": o.Vendor, "fax_remote_model": o.Model} {
		if value != "" {
			c.set(name, value) // mod_spandsp_fax.c, phase_b_handler
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fax.ecm = c.fax.wantECM && !o.NoECM
	c.step("negotiated")
	c.fireLocked(faxNegotiated, nil)
	return -1
}

// standardRes is the resolution down the page that every fax machine prints
// (T.4, 2.2), 3.85 lines per mm, rounded up.
const standardRes = 3860 // lines per metre

// transmit sends the pages and returns the completion code.
func (c *call) transmit(pages []image, unreadable error) int {
	if unreadable != nil {
		return c.farEndEnds(toHangup, 41)
	}
	first, last := c.pageRange(len(pages))
	o := c.outcome
	if first >= last {
		return c.farEndEnds(toHangup, 42)
	}
	c.mu.Lock()
	c.fax.total = len(pages)
	perPage := pageTime * 14400 / time.Duration(c.fax.rate)
	if !c.fax.ecm {
		perPage = time.Duration(noECMFactor * float64(perPage))
	}
	c.mu.Unlock()
	pause := training
	for i := first; i < last; i++ {
		page := pages[i]
		switch {
		case !page.bilevel:
			return c.farEndEnds(toHangup, 43)
		case page.width != 1728: // the only width every fax machine has
			return c.farEndEnds(toHangup, 12)
		case o.NoFine && page.yres > standardRes:
			return c.farEndEnds(toHangup, 11)
		case o.Code != 0 && !o.Drops && i-first >= o.Pages:
			return c.farEndEnds(toHangup, o.Code)
		}
		c.mu.Lock()
		c.fax.image, c.fax.started = page, true
		c.mu.Unlock()
		if o.Drops && i-first >= o.Pages {
			return c.farEndEnds(intoPage, 49)
		}
		if o.Line == StallPage {
			c.wait(forever)
			return 49
		}
		if o.Line == Cut && i == first {
			c.cutLink()
		}
		if !c.wait(pause + perPage) {
			return 49
		}
		pause = 0
		c.confirm(i)
	}
	if o.Line == StaysUp {
		c.wait(toHangup)
		return 0
	}
	return c.farEndEnds(toHangup, 0)
}

// confirm is a page that the far end has received.
func (c *call) confirm(index int) {
	c.note(Entry{Kind: "page", File: c.fax.file, Page: index})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fax.pages++
	c.step("page")
	c.fireLocked(faxPage, nil)
}

// farEndEnds lets the far end hang up after a while. A code other than 0 is
// the one of a fax that was not hung up by ourselves before.
func (c *call) farEndEnds(after time.Duration, code int) int {
	if !c.wait(after) {
		if code == 0 { // every page was confirmed already
			return 0
		}
		return 49
	}
	c.hangup(causeByName("NORMAL_CLEARING"), true)
	c.advance("bye")
	return code
}

// pageRange reads fax_start_page and fax_end_page, both zero-based.
func (c *call) pageRange(count int) (first, last int) {
	last = count
	if n, err := strconv.Atoi(c.told("fax_start_page")); err == nil {
		first = max(n, 0)
	}
	if n, err := strconv.Atoi(c.told("fax_end_page")); err == nil && n >= 0 {
		last = min(last, max(n, first)+1)
	}
	return first, last
}

// conclude is the fax's verdict and what hangs on it.
func (c *call) conclude(code int) {
	c.mu.Lock()
	c.fax.code = code
	c.step("result")
	pages := c.fax.pages
	c.fireLocked(faxResult, nil)
	c.mu.Unlock()
	c.note(Entry{Kind: "result", File: c.fax.file, Code: code, Pages: pages})
	if hook := c.expand(c.hook("execute_on_fax_result")); hook != "" {
		if name, data, queued := strings.Cut(hook, "::"); queued {
			c.send(request{app: &application{name, data, c.sw.newUUID()}})
		} else {
			name, data, _ := strings.Cut(hook, " ")
			c.execute(application{name, data, c.sw.newUUID()})
		}
	}
	if c.outcome.Line == StaysUp {
		c.wait(forever)
	}
	c.advance("pcmu")
}

// fill writes the fax's values; the channel's lock is held.
func (f *fax) fill(b []byte, s slot) []byte {
	switch s {
	case sFile:
		return encode(b, f.file)
	case sV17Disabled:
		return append(b, choose[byte](f.noV17, '1', '0'))
	case sECMRequested:
		return append(b, choose[byte](f.wantECM, '1', '0'))
	case sECMUsed:
		return append(b, choose(f.ecm, "on", "off")...)
	case sRate:
		return strconv.AppendInt(b, int64(f.rate), 10)
	case sT38Status:
		return append(b, f.t38...)
	case sLocalIdent:
		return encode(b, f.local)
	case sRemoteIdent:
		return encode(b, f.remote)
	case sPages:
		return strconv.AppendInt(b, int64(f.pages), 10)
	case sTotal:
		return strconv.AppendInt(b, int64(choose(f.started, f.total, 0)), 10)
	case sLineResolution:
		switch {
		case !f.started:
			return append(b, "0x0"...)
		case f.image.yres > 11000:
			return append(b, "8040x15400"...)
		case f.image.yres > 5000:
			return append(b, "8040x7700"...)
		default:
			return append(b, "8040x3850"...)
		}
	case sFileResolution:
		return dimensions(b, f.image.xres, f.image.yres)
	case sPixels:
		return dimensions(b, f.image.width, f.image.length)
	case sImageSize:
		return strconv.AppendInt(b, int64(choose(f.started, f.image.bytes, 0)), 10)
	case sEncoding:
		return append(b, choose(f.ecm, "32", "4")...)
	case sEncodingName:
		return encode(b, choose(f.ecm, "T.85(L0)", "T.4 2-D"))
	case sSuccess:
		return append(b, choose[byte](f.code == 0, '1', '0'))
	case sCode:
		return strconv.AppendInt(b, int64(f.code), 10)
	case sText:
		if f.code < 0 || f.code >= len(completionTexts) {
			return append(b, "???"...)
		}
		return encode(b, completionTexts[f.code])
	}
	return b
}

func dimensions(b []byte, x, y int) []byte {
	return strconv.AppendInt(append(strconv.AppendInt(b, int64(x), 10), 'x'), int64(y), 10)
}
