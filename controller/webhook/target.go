package webhook

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"faxbot/controller/fax"
)

const maxURL = 2000

// CheckURL refuses what no webhook can be sent to.
func CheckURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Fragment != "" || len(text) > maxURL {
		return fax.Errorf(fax.Invalid, "A webhook needs an address like https://example.net/hook, without a user and of at most %d bytes", maxURL)
	}
	return nil
}

// Check refuses a URL as CheckURL does, and one that says itself that it leads
// into a private or local network. A name is judged when it is connected to.
func (s *Sender) Check(text string) error {
	if err := CheckURL(text); err != nil || s.private() {
		return err
	}
	u, err := url.Parse(text)
	if err != nil {
		return err
	}
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	at, err := netip.ParseAddr(host)
	if err == nil && !public(at) || host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return fax.Errorf(fax.Invalid, "A webhook must not lead into a private or local network, unless FAXBOT_WEBHOOK_ALLOW_PRIVATE allows it")
	}
	return nil
}

// errPrivate is for whoever aims our requests at his neighbours.
var errPrivate = errors.New("the target is in a private or local network, which FAXBOT_WEBHOOK_ALLOW_PRIVATE would allow")

// newClient connects to public addresses only, unless told otherwise. The
// address is judged after its name was resolved, at each connection, so a name
// that changes its mind gains nothing; and redirections are not followed.
func newClient(private func() bool) *http.Client {
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	dialer.Control = func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if private() || err == nil && public(at.Addr()) {
			return nil
		}
		return errPrivate
	}
	return &http.Client{
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSHandshakeTimeout: 5 * time.Second, ResponseHeaderTimeout: within,
			MaxIdleConns: atOnce, IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true, MaxResponseHeaderBytes: maxReply,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// special are the networks, beside those that netip knows, that are nobody's
// public address (IANA's registries of special-purpose addresses).
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("240.0.0.0/4"),
	// What is inside of these may be private: NAT64, 6to4, Teredo.
	netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("2001::/32"),
}

func public(a netip.Addr) bool {
	a = a.Unmap()
	if !a.IsGlobalUnicast() || a.IsPrivate() {
		return false
	}
	for _, p := range special {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

// withoutURL keeps what went wrong of an error that names the URL.
func withoutURL(err error) error {
	var wrapped *url.Error
	switch {
	case errors.Is(err, errPrivate):
		return errPrivate
	case errors.As(err, &wrapped) && wrapped.Timeout():
		return fmt.Errorf("the receiver did not answer within %s", within)
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return fmt.Errorf("the receiver cannot be reached: %w", op.Err)
	}
	return errors.New("the receiver cannot be reached, or does not speak HTTP")
}
