// Package dialplan writes what FreeSWITCH is told. All quoting lives here: a
// value reaches the switch only through a type of this package, which refuses
// or encodes what could break out of its place.
package dialplan

import (
	"net"
	"strconv"
	"strings"
	"time"

	"faxbot/controller/fax"
)

// Call is one outbound fax call, as originate is told of it.
type Call struct {
	Attempt  fax.AttemptID
	Job      fax.JobID
	Token    string // lowercase hexadecimal
	Gateway  string
	Number   fax.Number
	CallerID string        // "" leaves it to the gateway
	Ring     time.Duration // how long it may ring; whole seconds
	// Socket is where the switch connects when the call is answered: HOST:PORT,
	// or several with "|" between them, tried in order (mod_event_socket.c,
	// socket_function).
	Socket string
	// Entry leads there through the switch's dialplan instead, should the site
	// want something done with each call; zero for straight.
	Entry Entry

	StationID  string // fax_ident; any text, sent percent-encoded, in letters that fax machines have
	Header     string // fax_header; any text, sent percent-encoded, in letters that the fax engine has
	Parameters fax.Parameters
}

// Originate renders the argument of bgapi. It fails with fax.Invalid when a
// value has a form that cannot be dialled; nothing is dropped or mended
// silently.
//
// The application is in quotes because originate splits its arguments at
// spaces: without them the switch runs "socket H:P" in sync mode, and nothing
// is heard of the call any more. Within {} quotes would protect spaces only: this split takes
// them away before the list is split at commas. So no value there may contain
// a comma, a quote, a brace, a space or a dollar sign.
func (c Call) Originate() (string, error) {
	destination, err := c.destination()
	if err != nil {
		return "", err
	}
	if _, err := fax.ParseAttemptID(string(c.Attempt)); err != nil {
		return "", err
	}
	if _, err := fax.ParseJobID(string(c.Job)); err != nil {
		return "", fax.Errorf(fax.Invalid, "job id %.40q is not 32 hexadecimal digits", c.Job)
	}
	if n, err := fax.ParseNumber(string(c.Number)); err != nil || n != c.Number {
		return "", fax.Errorf(fax.BadNumber, "number %.40q cannot be dialled", c.Number)
	}
	if !plain(c.Token, "0123456789abcdef") || c.Token == "" {
		return "", fax.Errorf(fax.Invalid, "the call's token is not hexadecimal")
	}
	if err := CheckGateway(c.Gateway); err != nil {
		return "", err
	}
	if err := CheckCallerID(c.CallerID); err != nil {
		return "", err
	}
	vars := append(variables{{"origination_uuid", string(c.Attempt)}}, c.identity()...)
	if c.CallerID != "" {
		vars.set("origination_caller_id_number", c.CallerID)
		vars.set("origination_caller_id_name", c.CallerID)
	}
	vars.set("originate_timeout", strconv.Itoa(int(c.Ring/time.Second)))
	// Without this the application starts on a ringing tone (183 with media).
	vars.set("ignore_early_media", "true")
	vars = append(vars, c.fax()...)
	if c.Parameters.StartPage > 0 {
		vars.set("fax_start_page", strconv.Itoa(c.Parameters.StartPage))
	}
	var b strings.Builder
	b.WriteString("originate {" + vars.join(",") + "}sofia/gateway/" + c.Gateway + "/" + string(c.Number))
	b.WriteString(" " + destination)
	return b.String(), nil
}

// variables are channel variables, in the order in which they are set.
type variables [][2]string

func (v *variables) set(name, value string) { *v = append(*v, [2]string{name, value}) }

func (v variables) join(by string) string {
	pairs := make([]string, len(v))
	for i, one := range v {
		pairs[i] = one[0] + "=" + one[1]
	}
	return strings.Join(pairs, by)
}

// identity is what a call says of itself when it connects.
func (c Call) identity() variables {
	return variables{{"faxbot_job_id", string(c.Job)}, {"faxbot_attempt_id", string(c.Attempt)}, {"faxbot_token", c.Token}}
}

// fax is what txfax reads.
func (c Call) fax() (v variables) {
	v.set("fax_enable_t38", strconv.FormatBool(c.Parameters.T38))
	v.set("fax_enable_t38_request", strconv.FormatBool(c.Parameters.T38))
	v.set("fax_use_ecm", strconv.FormatBool(c.Parameters.ECM))
	v.set("fax_disable_v17", strconv.FormatBool(!c.Parameters.V17))
	// mod_spandsp decodes these two (mod_spandsp_fax.c, pvt_init).
	if c.StationID != "" {
		v.set("fax_ident", percent(identLetters(c.StationID)))
	}
	if c.Header != "" {
		v.set("fax_header", percent(headerLetters(c.Header)))
	}
	return v
}

// destination is where an answered call goes.
func (c Call) destination() (string, error) {
	if c.Entry != (Entry{}) {
		return c.Entry.String(), c.Entry.check()
	}
	socket, err := Sockets(c.Socket)
	return "'&socket(" + socket + " async full)'", err
}

// CheckGateway says whether name can be a gateway of mod_sofia here: letters,
// digits, dot, dash and underscore.
func CheckGateway(name string) error {
	if name == "" || len(name) > 64 || !plain(name, letters+digits+"._-") {
		return fax.Errorf(fax.Invalid, "gateway name %.64q: use 1 to 64 letters, digits, dots, dashes and underscores", name)
	}
	return nil
}

// CheckCallerID says whether s can be sent as the calling number; empty is
// allowed and leaves it to the gateway.
func CheckCallerID(s string) error {
	if len(s) > 20 || !plain(strings.TrimPrefix(s, "+"), digits) {
		return fax.Errorf(fax.Invalid, "caller id %.40q: use an optional + and at most 20 digits", s)
	}
	return nil
}

const (
	digits  = "0123456789"
	letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

func plain(s, allowed string) bool { return strings.Trim(s, allowed) == "" }

// Sockets accepts HOST:PORT[|HOST:PORT…]. IPv6 addresses in brackets
// are refused: the socket application splits at the first colon.
func Sockets(s string) (string, error) {
	for _, one := range strings.Split(s, "|") {
		host, port, err := net.SplitHostPort(one)
		n, perr := strconv.Atoi(port)
		if err != nil || perr != nil || n < 1 || n > 65535 || host == "" || !plain(host, letters+digits+".-") {
			return "", fax.Errorf(fax.Invalid, "socket address %.80q: use HOST:PORT with a name or an IPv4 address, several separated by |", s)
		}
	}
	return s, nil
}

// percent encodes every byte but letters and digits.
func percent(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for _, c := range []byte(s) {
		if strings.IndexByte(letters+digits, c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(hex[c>>4])
		b.WriteByte(hex[c&15])
	}
	return b.String()
}
