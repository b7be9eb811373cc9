package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"faxbot/controller/fax"
)

// scope is a thing that a key may allow.
type scope string

// Every scope there is. Those of received faxes may be given to keys already.
const (
	everything  scope = "*"
	faxSend     scope = "fax:send"
	faxRead     scope = "fax:read"
	inboundList scope = "inbound:list"
	inboundRead scope = "inbound:read"
	keysManage  scope = "keys:manage"
)

// faxAny lets in who may do anything with faxes; what it comes to is judged later.
const faxAny scope = "fax:send or fax:read"

var scopes = []scope{everything, faxSend, faxRead, inboundList, inboundRead, keysManage}

// principal is whoever holds a key.
type principal struct {
	name   string // tells holders apart, for limits
	owner  string // id of the key, which the faxes submitted with it bear; "" for the bootstrap key
	scopes []scope
	// browser says that a session's cookie stands for the key. Browsers send
	// it by themselves, whoever made them.
	browser bool
}

func (p principal) may(s scope) bool {
	if s == faxAny {
		return p.may(faxSend) || p.may(faxRead)
	}
	return slices.Contains(p.scopes, everything) || slices.Contains(p.scopes, s)
}

// admin may see the faxes of all keys and manage the keys.
func (p principal) admin() bool { return p.may(keysManage) }

// key names the holder in the audit log.
func (p principal) key() string {
	switch {
	case p.owner != "":
		return p.owner
	case p.name == bootstrap:
		return bootstrap
	}
	return "anybody"
}

// bootstrap is the holder of API_KEY.
const bootstrap = "bootstrap"

// sees says whether a fax may be known to the holder: it is of the same key.
func (p principal) sees(j fax.Job) bool { return p.admin() || j.Owner == p.owner }

// door lets in who has a right key. Wrong ones are counted by address, and an
// address with too many has to wait, whatever it sends next, except with a key
// that was right from there before: behind a proxy all clients have one
// address, and one that keeps using an old key must not lock out the rest.
type door struct {
	everybody bool
	key       *secret // the bootstrap key; nil when there is none
	ring      *ring
	sessions  sessions
	strangers *buckets
	refused   func(r *http.Request, given string) // hears of each that is wrong

	mu      sync.Mutex
	friends map[[sha256.Size]byte]struct{} // address and secret that were right together
}

// A stranger may be wrong this often at once, and then every few seconds.
const (
	wrongAtOnce    = 20
	wrongPerSecond = 1.0 / 3
)

func newDoor(c Config, refused func(*http.Request, string)) *door {
	return &door{
		everybody: c.InsecureNoAuth,
		key:       newSecret(c.Key),
		ring:      newRing(c),
		strangers: newBuckets(wrongPerSecond, wrongAtOnce),
		refused:   refused,
		friends:   map[[sha256.Size]byte]struct{}{},
	}
}

// open says who sends a request. It reads nothing but headers.
func (d *door) open(r *http.Request) (principal, error) {
	if d.everybody {
		return principal{name: "at " + clientAddress(r), scopes: []scope{everything}}, nil
	}
	given := keyOf(r)
	browser := given == ""
	if browser {
		given = d.sessions.key(r, time.Now())
	}
	who := principal{name: bootstrap, scopes: []scope{everything}}
	err := d.knock(r, given, "Invalid or missing API key", func(given string) (ok bool, err error) {
		if d.key.is(given) {
			return true, nil
		}
		who, ok, err = d.ring.holder(r.Context(), given)
		return ok, err
	})
	if err != nil {
		return principal{}, err
	}
	who.browser = browser
	return who, nil
}

// keyOf is the key that a request comes with.
func keyOf(r *http.Request) string {
	if key := r.Header.Get("X-API-Key"); key != "" {
		return key
	}
	scheme, key, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(key)
}

// openHook lets in who reports the results of calls.
func (d *door) openHook(r *http.Request, hook *secret) error {
	if hook == nil {
		return &fax.Error{Problem: fax.Unauthorized, Detail: "Internal secret not configured"}
	}
	return d.knock(r, r.Header.Get("X-Internal-Secret"), "Invalid internal secret", func(given string) (bool, error) {
		return hook.is(given), nil
	})
}

// knock lets right judge what is given. That something could not be judged
// counts for nobody.
func (d *door) knock(r *http.Request, given, refused string, right func(given string) (bool, error)) error {
	if given == "" { // nothing was guessed
		return &fax.Error{Problem: fax.Unauthorized, Detail: refused}
	}
	from := clientAddress(r)
	pair := sha256.Sum256([]byte(from + " " + given))
	if wait := d.strangers.empty(from); wait > 0 && !d.knows(pair) {
		return &later{wait, &fax.Error{Problem: fax.RateLimited, Detail: "Too many failed attempts; wait before the next"}}
	}
	ok, err := right(given)
	if err != nil {
		return err
	}
	if !ok {
		d.strangers.take(from)
		d.refused(r, given)
		return &fax.Error{Problem: fax.Unauthorized, Detail: refused}
	}
	d.remember(pair)
	return nil
}

func (d *door) knows(pair [sha256.Size]byte) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, ok := d.friends[pair]
	return ok
}

func (d *door) remember(pair [sha256.Size]byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.friends) >= generation {
		clear(d.friends)
	}
	d.friends[pair] = struct{}{}
}

// secret is compared in constant time, whatever the lengths.
type secret [sha256.Size]byte

func newSecret(s string) *secret {
	if s == "" {
		return nil
	}
	sum := secret(sha256.Sum256([]byte(s)))
	return &sum
}

func (s *secret) is(given string) bool {
	sum := sha256.Sum256([]byte(given))
	return s != nil && subtle.ConstantTimeCompare(sum[:], s[:]) == 1
}

// clientAddress is what one client can hardly have many of: an IPv4 address,
// or the first half of an IPv6 one.
func clientAddress(r *http.Request) string {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return "unknown"
	}
	addr := peer.Addr().Unmap().WithZone("")
	if addr.Is6() {
		return netip.PrefixFrom(addr, 64).Masked().String()
	}
	return addr.String()
}
