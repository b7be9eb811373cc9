package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"faxbot/api"
	"faxbot/controller"
	"faxbot/controller/fax"
	"faxbot/controller/store"
	"faxbot/dialplan"
)

// administration is the settings of a daemon that runs: it stores what
// administrators change, and puts into force what is to take effect now, also
// when it was changed through another host.
type administration struct {
	layers layers
	store  store.Settings
	log    *slog.Logger
	adopt  func(settings) error // puts into force what takes effect now; nil while nothing runs

	socket, inside string // addresses that are listened on; "" while nothing runs

	mu      sync.Mutex
	stored  store.Stored
	next    settings        // as of the next start
	inForce settings        // as of now
	used    map[string]bool // which of inForce come from the store
}

// administer reads what is stored and puts it beneath the rest. What cannot be
// used (by a version older than the one that stored it, say) is left out with
// an error in the log: the daemon sends faxes all the same.
func administer(ctx context.Context, l layers, st store.Settings, log *slog.Logger) (*administration, error) {
	a := &administration{layers: l, store: st, log: log}
	stored, err := st.Read(ctx)
	if err != nil {
		return nil, err
	}
	a.take(stored)
	a.inForce = a.next
	return a, nil
}

// retreat leaves out what is stored for the start, after a start with it has
// failed: only what takes effect now stays. It says whether there was anything.
func (a *administration) retreat(why error) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	kept := map[string]string{}
	for _, f := range a.next.flags() {
		if text, ok := a.stored.Values[nameOf(f)]; ok && effectOf(f) == api.Now {
			kept[nameOf(f)] = text
		}
	}
	before := len(a.used)
	a.inForce, a.used, _ = a.layers.with(kept)
	if len(a.used) == before {
		return false
	}
	a.log.Error("the daemon cannot start with the stored settings; it tries without those that take effect at a start", "error", why)
	return true
}

// take makes what is stored the settings, as far as it can be used.
func (a *administration) take(stored store.Stored) {
	next, used, flaws := a.layers.with(stored.Values)
	for _, f := range flaws {
		a.log.Error("a stored setting cannot be used and is left out; change or remove it (/admin/settings)", "setting", f.Setting, "reason", f.Detail)
	}
	a.stored, a.next = stored, next
	if a.adopt == nil {
		a.used = used
		return
	}
	from, into := next.flags(), a.inForce.flags()
	for i, f := range into {
		if effectOf(f) != api.Now {
			continue
		}
		f.Target.Set(from[i].Target)
		delete(a.used, nameOf(f))
		if used[nameOf(f)] {
			a.used[nameOf(f)] = true
		}
	}
	if err := a.adopt(a.inForce); err != nil {
		a.log.Error("settings that were changed could not be put into force; restart the daemon", "error", err)
		return
	}
	a.log.Info("settings have changed", "revision", stored.Revision)
}

// lookEach is how soon a host notices what was changed through another.
const settingsEach = 2 * time.Second

// watch keeps up with the other hosts until ctx ends.
func (a *administration) watch(ctx context.Context) {
	tick := time.NewTicker(settingsEach)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := a.refresh(ctx); err != nil && ctx.Err() == nil {
			a.log.Warn("the stored settings could not be read", "error", err)
		}
	}
}

func (a *administration) refresh(ctx context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	revision, err := a.store.Revision(ctx)
	if err != nil || revision == a.stored.Revision {
		return err
	}
	stored, err := a.store.Read(ctx)
	if err == nil {
		a.take(stored)
	}
	return err
}

// List implements api.Settings.
func (a *administration) List() []api.Setting {
	a.mu.Lock()
	defer a.mu.Unlock()
	var defaults settings
	byDefault, next := defaults.flags(), a.next.flags()
	var list []api.Setting
	for i, f := range a.inForce.flags() {
		s := api.Setting{
			Name: nameOf(f), Flag: "--" + f.Name, Group: f.Group.Title, Help: f.Help, Secret: isSecret(f),
			Value: display(f.Target), Source: api.FromDefault, Applies: effectOf(f),
		}
		_, s.Stored = a.stored.Values[s.Name]
		if a.used[s.Name] {
			s.Source = api.FromStored
		} else if from, ok := a.layers.set[s.Name]; ok {
			s.Source = from
		}
		if d := byDefault[i]; d.HasDefault && !s.Secret && decode(d, d.Default) == nil {
			s.Default = display(d.Target)
		}
		if coming := display(next[i].Target); !reflect.DeepEqual(coming, s.Value) {
			s.Pending = coming
		}
		list = append(list, s)
	}
	return list
}

// Trial implements api.Settings.
func (a *administration) Trial(texts map[string]*string) (controller.Policy, []api.Flaw, error) {
	if err := a.refuse(texts); err != nil {
		return controller.Policy{}, nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	values := maps.Clone(a.stored.Values)
	for name, text := range texts {
		delete(values, name)
		if text != nil {
			values[name] = *text
		}
	}
	s, flaws := a.judge(values)
	return s.policy(), flaws, nil
}

// judge makes the settings of what would be stored, and says what is wrong with
// them that is not wrong already: that is not a change's doing, and must not
// keep anybody from mending it bit by bit.
func (a *administration) judge(values map[string]string) (settings, []api.Flaw) {
	_, _, before := a.layers.put(a.stored.Values)
	s, _, flaws := a.layers.put(values)
	return s, slices.DeleteFunc(flaws, func(f api.Flaw) bool { return slices.Contains(before, f) })
}

// Site implements api.Settings.
func (a *administration) Site(name string) (dialplan.Site, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.inForce
	s.Socket.Listen, s.Inside.Listen = cmp.Or(a.socket, s.Socket.Listen), cmp.Or(a.inside, s.Inside.Listen)
	site, err := s.site(name)
	if wrong := (*settingsError)(nil); errors.As(err, &wrong) {
		err = &fax.Error{Problem: fax.Conflict, Detail: strings.Join(wrong.lines, "; ")}
	}
	return site, err
}

// errFlawed keeps the store as it is.
var errFlawed = errors.New("settings that cannot be used")

// Change implements api.Settings.
func (a *administration) Change(ctx context.Context, texts map[string]*string, dry bool) ([]api.Flaw, error) {
	if err := a.refuse(texts); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	var flaws []api.Flaw
	judge := func(all map[string]string) error {
		_, flaws = a.judge(all)
		if len(flaws) > 0 || dry {
			return errFlawed
		}
		return nil
	}
	stored, err := a.store.Change(ctx, texts, judge)
	if errors.Is(err, errFlawed) {
		return flaws, nil
	}
	if err == nil && stored.Revision != a.stored.Revision {
		a.take(stored)
	}
	return nil, err
}

// refuse says what can never be changed here.
func (a *administration) refuse(texts map[string]*string) error {
	if err := a.misdirects(texts); err != nil {
		return err
	}
	var own settings
	for _, f := range own.flags() {
		name := nameOf(f)
		text, ok := texts[name]
		switch {
		case !ok || text == nil:
		case effectOf(f) == api.Never:
			return fax.Errorf(fax.Conflict, "%s can only be set where the daemon is started: in its environment", spelling(f.Name, name))
		case a.layers.set[name] == api.FromEnvironment:
			return fax.Errorf(fax.Conflict, "%s is set in the environment of the daemon: change it there, or remove it there first", name)
		case a.layers.set[name] == api.FromFlag:
			return fax.Errorf(fax.Conflict, "%s is set by the flag --%s of the daemon: change it there, or remove it there first", name, f.Name)
		}
	}
	return nil
}

// misdirects refuses to send a password of FreeSWITCH that somebody else has set
// to an address of the sender's choice: it is worth a shell on the switch.
func (a *administration) misdirects(texts map[string]*string) error {
	if text := texts["FAXBOT_SWITCHES"]; text != nil {
		if list, err := controller.ParseSwitches(*text, ""); err == nil && slices.ContainsFunc(list, func(s controller.Switch) bool { return s.Password == "" }) {
			return fax.Errorf(fax.Conflict, "Give every switch of FAXBOT_SWITCHES its password here: the one that is set goes to no other address")
		}
	}
	const secret = "FREESWITCH_ESL_PASSWORD" //nolint:gosec // the name of a setting
	if texts["FREESWITCH_ESL_HOST"] == nil && texts["FREESWITCH_ESL_PORT"] == nil || texts[secret] != nil {
		return nil
	}
	if from, ok := a.layers.set[secret]; ok {
		return fax.Errorf(fax.Conflict, "%s is set by the %s of the daemon: change the address of FreeSWITCH there, too, so that its password goes nowhere else", secret, from)
	}
	return fax.Errorf(fax.Conflict, "Give %s along with the address: the one that is set goes to no other address", secret)
}

// Export implements api.Settings.
func (a *administration) Export() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "# Settings of Faxbot %s, as of the next start. Quoted as a shell and systemd's EnvironmentFile= read it.\n", version())
	group := ""
	for _, f := range a.next.flags() {
		if f.Group.Title != group {
			group = f.Group.Title
			fmt.Fprintf(&b, "\n# %s\n", group)
		}
		name := nameOf(f)
		switch {
		case len(f.Envs) == 0:
			fmt.Fprintf(&b, "# %s is a flag: %v\n", name, display(f.Target))
		case isSecret(f):
			fmt.Fprintf(&b, "# %s= is a secret: %s\n", name, display(f.Target))
		case textOf(f.Target) == "":
			fmt.Fprintf(&b, "# %s=\n", name)
		default:
			fmt.Fprintln(&b, variable{name, textOf(f.Target)})
		}
	}
	return b.String()
}

// textOf is a value as it is written in the environment.
func textOf(v reflect.Value) string {
	if list, ok := v.Interface().([]string); ok {
		return strings.Join(list, ",")
	}
	return fmt.Sprint(v.Interface())
}
