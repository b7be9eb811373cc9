// Package doctor finds out whether faxes can be sent and, where not, what to
// mend. Each check is a question to one part: this process, the database, the
// document folder, FreeSWITCH. The same checks stand behind faxbot doctor,
// POST /admin/diagnostics/run and, the quick ones, /health/ready.
//
// A check that needs another one is skipped when that one fails, so that one
// broken thing is one failing line.
package doctor

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"faxbot/controller/document"
	"faxbot/controller/freeswitch"
	"faxbot/dialplan"
)

// Outcome is what a check came to.
type Outcome string

// Every Outcome there is.
const (
	OK      Outcome = "ok"
	Warning Outcome = "warning" // faxes can be sent, and something will hurt sooner or later
	Fails   Outcome = "fails"   // faxes cannot be sent
	Skipped Outcome = "skipped" // it cannot be found out now; Found says why
)

// Finding is the outcome of one check, in words for the operator. It holds no
// secret.
type Finding struct {
	Check   string  `json:"check"`
	Outcome Outcome `json:"outcome"`
	Found   string  `json:"found"`
	How     string  `json:"how"`  // how it was found out
	Mend    string  `json:"mend"` // what to do; "" when there is nothing to
}

// Detail is what is wrong and how to mend it; "" for what is well.
func (f Finding) Detail() string {
	switch {
	case f.Outcome == OK:
		return ""
	case f.Mend == "":
		return f.Found
	}
	return f.Found + "; " + f.Mend
}

// Worst is the worst outcome of a list; what was skipped has no part in it.
func Worst(list []Finding) Outcome {
	worst := OK
	for _, f := range list {
		if f.Outcome == Fails || f.Outcome == Warning && worst == OK {
			worst = f.Outcome
		}
	}
	return worst
}

// Patient is what is examined.
type Patient struct {
	Settings error     // why the settings cannot be used; nil when they can
	Premises *Premises // what the process was started with; nil leaves it out

	Accepting func() error                          // why no faxes are taken in; nil leaves it out
	Database  func(context.Context) (string, error) // tries to write, and says how it stands; a Risk is no failure
	Documents func() (*document.Folder, error)      // opens the folder, or returns the open one

	Line
	Others []Line // further switches; then the checks of each, and of Line, end with its name

	T38     bool           // is offered
	Fetches string         // the address from which switches fetch pages; "" when they share the folder
	Entry   dialplan.Entry // that calls take through the switch's dialplan; zero for none
}

// Line is a switch and the way to it and back. While calls can go out over one
// of several, what fails at another is a warning.
type Line struct {
	Switch   freeswitch.LinkConfig // as for freeswitch.Inquire
	Link     *freeswitch.Link      // of a running daemon; Ready asks through it
	Gateways []string              // of the switch, the preferred first
	// Door is where the switch connects answered calls; whoever asked closes
	// it. It is not opened for Ready.
	Door func() (*Door, error)
}

// Premises are facts about the process.
type Premises struct {
	KeyLength      int // of API_KEY; 0 when it is not set
	InsecureNoAuth bool
	HookSecret     bool // is set
	Webhooks       int  // URLs that are told of every fax
	WebhookSecrets int
	TLSCert        string // files; "" without TLS
	TLSKey         string
	Connections    int       // that calls may have open at once
	Addresses      []Address // that are listened on
	Bound          bool      // by this process already
	// Owner is whom files of the daemon must belong to, when this process is
	// root and is not the daemon; "" otherwise.
	Owner string
}

// Address is an address that is listened on, and the setting that names it.
type Address struct{ Setting, Address string }

// Examine tries everything. It places one call, which leads nowhere.
func Examine(ctx context.Context, p Patient) []Finding { return examine(ctx, p, false) }

// Ready tries what is quick and needs no call. What cannot be found out is left
// out.
func Ready(ctx context.Context, p Patient) []Finding {
	return slices.DeleteFunc(examine(ctx, p, true), func(f Finding) bool { return f.Outcome == Skipped })
}

// check is one question. The checks that it needs come before it.
type check struct {
	name  string
	how   string
	quick bool // part of Ready
	needs []string
	run   func(*visit) result
}

// question is a check and whose line it concerns; nil for the house.
type question struct {
	check
	on *visit
}

type result struct {
	outcome     Outcome
	found, mend string
}

func examine(ctx context.Context, p Patient, quick bool) []Finding {
	v := &visit{ctx: ctx, Patient: p, quick: quick}
	defer v.end()
	var list []Finding
	of := map[int]*visit{}        // by finding, whose line it concerns
	broken := map[string]string{} // what did not succeed, and what is to blame
	for _, c := range v.checks() {
		if quick && !c.quick {
			continue
		}
		blame := broken["settings"]
		for _, need := range c.needs {
			blame = cmp.Or(blame, broken[need])
		}
		r := unknown("not tried, because "+blame+" fails", "")
		if blame == "" {
			at := v
			if c.on != nil {
				at, c.on.folder = c.on, v.folder
			}
			r = c.run(at)
			if r.outcome == Fails {
				blame = c.name
			}
		}
		broken[c.name] = blame
		of[len(list)] = c.on
		list = append(list, Finding{c.name, r.outcome, r.found, c.how, r.mend})
	}
	broke := map[*visit]bool{}
	for i, f := range list {
		broke[of[i]] = broke[of[i]] || f.Outcome == Fails
	}
	for _, line := range v.visits() {
		if !broke[line] { // calls go out over it
			for i := range list {
				if of[i] != nil && list[i].Outcome == Fails {
					list[i].Outcome = Warning
				}
			}
		}
	}
	return list
}

// visit is one examination.
type visit struct {
	Patient
	ctx   context.Context
	quick bool

	lines   []*visit // of each switch, this one first
	folder  *document.Folder
	inquiry *freeswitch.Inquiry
	reached bool // the connection was tried
	refused error
	states  map[string]trunk
}

// visits are those of each switch, this one first.
func (v *visit) visits() []*visit {
	if v.lines == nil {
		v.lines = []*visit{v}
		for _, line := range v.Others {
			p := v.Patient
			p.Line = line
			v.lines = append(v.lines, &visit{ctx: v.ctx, Patient: p, quick: v.quick})
		}
	}
	return v.lines
}

func (v *visit) end() {
	for _, line := range v.visits() {
		if line.inquiry != nil {
			line.inquiry.Close()
		}
	}
}

// connect tries to reach the switch, once.
func (v *visit) connect() error {
	if v.reached {
		return v.refused
	}
	v.reached = true
	if v.quick && v.Link != nil {
		v.refused = v.Link.Up()
	} else {
		v.inquiry, v.refused = freeswitch.Inquire(v.ctx, v.Switch)
	}
	return v.refused
}

// ask has the switch answer an api command.
func (v *visit) ask(command string) (string, error) {
	if err := v.connect(); err != nil {
		return "", err
	}
	var answer string
	var err error
	if v.inquiry != nil {
		answer, err = v.inquiry.API(command)
	} else {
		answer, err = v.Link.API(command)
	}
	return strings.TrimSpace(answer), err
}

// unsaid is the answer of a switch that has none, or not that command
// (mod_event_socket.c, api_exec).
func unsaid(answer string) bool {
	return strings.HasPrefix(answer, "-ERR") || strings.HasPrefix(answer, "-USAGE")
}

func fine(found string) result          { return result{OK, found, ""} }
func warn(found, mend string) result    { return result{Warning, found, mend} }
func fails(found, mend string) result   { return result{Fails, found, mend} }
func unknown(found, mend string) result { return result{Skipped, found, mend} }

// failed makes a result of an error; those of ours say what to do after a
// semicolon.
func failed(err error, mend string) result {
	found := err.Error()
	if i := strings.LastIndex(found, "; "); i >= 0 {
		found, mend = found[:i], found[i+2:]
	}
	return fails(found, mend)
}
