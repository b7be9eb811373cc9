package simulator

import (
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"
)

// Broken is what is wrong with the switch itself, and not with a call. The zero
// value is a switch that works.
type Broken struct {
	ACL     bool   // turns every address away
	Silent  bool   // accepts connections and says nothing
	Greets  string // with this instead of FreeSWITCH's greeting, then closes
	Stalls  bool   // takes the password, and answers nothing any more
	Version string // of another release, for instance "1.8.7"
	Without []string
	// Registration is the state of a gateway, in mod_sofia's words: REGED,
	// FAIL_WAIT, …; NOREG where none is named. One that does not come through is
	// down.
	Registration map[string]string
	Lonely       bool          // its calls cannot connect to anybody
	Blind        bool          // sees no file, as in a container of its own
	Unreadable   bool          // is a stranger: opens only files that everybody may read
	Ahead        time.Duration // how far its clock is ahead
}

// modules are those that a fax host loads.
var modules = []string{
	"mod_event_socket", "mod_spandsp", "mod_sofia", "mod_db", "mod_commands", "mod_curl", "mod_dptools",
	"mod_http_cache", "mod_loopback", "mod_sndfile",
}

func (s *Switch) has(module string) bool {
	return slices.Contains(modules, module) && !slices.Contains(s.config.Broken.Without, module)
}

// provider is the module that a command comes from, where that is not
// mod_commands.
var provider = map[string]string{"db": "mod_db", "curl": "mod_curl", "strmicroepoch": "mod_dptools", "sofia": "mod_sofia", "http_get": "mod_http_cache"}

// broken plays a switch that does not get as far as the password (mod_event_socket.c,
// listener_run).
func (l *link) broken(in io.Reader) bool {
	b := l.sw.config.Broken
	switch {
	case b.Silent:
		_, _ = io.Copy(io.Discard, in)
	case b.Greets != "":
		l.write([]byte(b.Greets))
		l.end()
		_, _ = io.Copy(io.Discard, in)
	case b.ACL:
		const text = "Access Denied, go away.\n"
		l.write(fmt.Appendf(nil, "Content-Type: text/rude-rejection\nContent-Length: %d\n\n%s", len(text), text))
		l.end()
		_, _ = io.Copy(io.Discard, in)
	default:
		return false
	}
	return true
}

// fileExists is the command of that name: it looks, and does not open
// (mod_commands.c, file_exists_function).
func (s *Switch) fileExists(path string) string {
	_, err := s.stat(path)
	return fmt.Sprint(err == nil)
}

func (s *Switch) stat(path string) (fs.FileInfo, error) {
	if s.config.Broken.Blind {
		return nil, fs.ErrNotExist
	}
	return os.Stat(path)
}

// read opens a file as the switch's user may.
func (s *Switch) read(path string) ([]image, error) {
	if err := s.mayRead(path); err != nil {
		return nil, err
	}
	return readTIFF(path)
}

func (s *Switch) mayRead(path string) error {
	file, err := s.stat(path)
	if err == nil && s.config.Broken.Unreadable && file.Mode()&0o004 == 0 {
		err = fs.ErrPermission
	}
	return err
}

// curl is mod_curl's command for files, and to post. What cannot be had is an empty answer.
func (s *Switch) curl(arg string) string {
	where, rest, _ := strings.Cut(arg, " ")
	if strings.HasPrefix(where, "http") && strings.Contains(rest, "post") {
		return s.post(Words(arg))
	}
	u, err := url.Parse(where)
	if err != nil || u.Scheme != "file" || s.mayRead(u.Path) != nil {
		return ""
	}
	text, _ := os.ReadFile(u.Path)
	body, _, _ := strings.Cut(string(text), "\x00") // it is printed as a C string
	return body
}

// release is the version that the switch claims to be.
func (s *Switch) release() string {
	return choose(s.config.Broken.Version == "", "1.11.1", s.config.Broken.Version)
}

// clock is the time by the switch's own clock.
func (s *Switch) clock() time.Time { return time.Now().Add(s.config.Broken.Ahead) }

// registration is the state of a gateway, and whether it is up (sofia_reg.c:
// what registers is up once it is registered; the rest while pings are answered).
func (s *Switch) registration(gateway string) (state, status string) {
	state = s.config.Broken.Registration[gateway]
	up := !slices.Contains(s.config.GatewaysDown, gateway) && (state == "" || state == "NOREG" || state == "REGED")
	return choose(state == "", "NOREG", state), choose(up, "UP", "DOWN")
}
