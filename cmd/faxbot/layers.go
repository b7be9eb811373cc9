package main

import (
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"time"

	"github.com/alecthomas/kong"

	"faxbot/api"
)

// layers are where settings come from. A default gives way to what is stored,
// and that to the environment and to flags.
type layers struct {
	own settings              // everything but what is stored
	set map[string]api.Source // those of them that are not defaults, by name
}

// layersOf tells what was set by whom of what has been parsed.
func layersOf(parsed *kong.Context, own settings) layers {
	l := layers{own: own, set: map[string]api.Source{}}
	for _, f := range own.flags() {
		for _, env := range f.Envs {
			if _, ok := os.LookupEnv(env); ok {
				l.set[nameOf(f)] = api.FromEnvironment
			}
		}
		for _, p := range parsed.Path {
			if p.Flag != nil && p.Flag.Name == f.Name {
				l.set[nameOf(f)] = api.FromFlag
			}
		}
	}
	return l
}

// flags are the settings one by one; their targets are the fields of s.
func (s *settings) flags() []*kong.Flag {
	parser, err := kong.New(s, kong.NoDefaultHelp())
	if err != nil {
		panic(err) // our own struct, which the program's parser has taken
	}
	return parser.Model.Flags
}

// nameOf is what a setting is called where it is stored: its environment
// variable.
func nameOf(f *kong.Flag) string {
	if len(f.Envs) == 0 {
		return "--" + f.Name
	}
	return f.Envs[0]
}

func effectOf(f *kong.Flag) api.Effect {
	switch f.Tag.Get("apply") {
	case "now":
		return api.Now
	case "never":
		return api.Never
	}
	return api.NextStart
}

// decode reads the text of a setting as the environment's is read.
func decode(f *kong.Flag, text string) error {
	f.Target.SetZero()
	return f.Parse(kong.ScanFromTokens(kong.Token{Type: kong.FlagValueToken, Value: text}), f.Target)
}

// with puts what is stored beneath the rest. It says which of it cannot be
// used; the settings are what they are without that.
func (l layers) with(stored map[string]string) (s settings, used map[string]bool, flaws []api.Flaw) {
	rest := maps.Clone(stored)
	for {
		var bad []api.Flaw
		if s, used, bad = l.put(rest); len(bad) == 0 {
			return s, used, flaws
		}
		flaws = append(flaws, bad...)
		before := len(rest)
		for _, f := range bad {
			delete(rest, f.Setting)
		}
		if len(rest) == before { // it is between a stored one and another
			clear(rest)
		}
	}
}

// put is with, for once.
func (l layers) put(stored map[string]string) (s settings, used map[string]bool, flaws []api.Flaw) {
	s, used = l.own, map[string]bool{}
	unknown := maps.Clone(stored)
	for _, f := range s.flags() {
		name := nameOf(f)
		delete(unknown, name)
		text, ok := stored[name]
		if !ok || l.set[name] != "" || effectOf(f) == api.Never {
			continue
		}
		own := reflect.ValueOf(f.Target.Interface())
		if err := decode(f, text); err != nil {
			f.Target.Set(own)
			flaws = append(flaws, api.Flaw{Setting: name, Detail: fmt.Sprintf("%s cannot be read: use a value like %s", spelling(f.Name, name), example(f))})
			continue
		}
		used[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(unknown)) {
		flaws = append(flaws, api.Flaw{Setting: name, Detail: fmt.Sprintf("%.100q is no setting of this version", name)})
	}
	if len(used) == 0 { // the rest has been judged
		return s, used, flaws
	}
	broken, err := s.flaws()
	if err != nil {
		broken = []api.Flaw{{Detail: err.Error()}}
	}
	return s, used, append(flaws, broken...)
}

func example(f *kong.Flag) string {
	if f.HasDefault {
		return f.Default
	}
	return f.PlaceHolder
}

// display is a setting's value for people. A secret is hidden, even its end.
func display(v reflect.Value) any {
	switch value := v.Interface().(type) {
	case secret:
		return setOrNot(value != "")
	case []secret:
		return setOrNot(len(value) > 0)
	case []string:
		return append([]string{}, value...)
	case time.Duration:
		return value.String()
	default:
		return value
	}
}

func setOrNot(set bool) string {
	if set {
		return "set"
	}
	return "unset"
}

func isSecret(f *kong.Flag) bool {
	t := f.Target.Type()
	return t == reflect.TypeFor[secret]() || t == reflect.TypeFor[[]secret]()
}
