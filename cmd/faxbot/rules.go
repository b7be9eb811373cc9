package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"unicode"

	"github.com/go-playground/validator/v10"

	"faxbot/api"
	"faxbot/controller"
	"faxbot/controller/plan"
	"faxbot/controller/webhook"
	"faxbot/dialplan"
)

// settingsError is one or more settings that cannot be used: each line names
// the flag, the environment variable and what to do.
type settingsError struct{ lines []string }

func (e *settingsError) Error() string {
	if len(e.lines) == 1 {
		return e.lines[0]
	}
	return "these settings cannot be used:\n  " + strings.Join(e.lines, "\n  ")
}

// rules are those that the settings need and the validator does not have.
var rules = map[string]validator.Func{
	"listen":  func(f validator.FieldLevel) bool { return isListen(f.Field().String()) },
	"network": func(f validator.FieldLevel) bool { _, err := network(f.Field().String()); return err == nil },
	"gateways": func(f validator.FieldLevel) bool {
		_, err := controller.ParseGateways(f.Field().String())
		return err == nil
	},
	"routes": func(f validator.FieldLevel) bool {
		_, err := controller.ParseRoutes(f.Field().String())
		return err == nil
	},
	"switches": func(f validator.FieldLevel) bool {
		_, err := controller.ParseSwitches(f.Field().String(), "")
		return err == nil
	},
	"channels": func(f validator.FieldLevel) bool { return areChannels(f.Field().String()) },
	"cps":      func(f validator.FieldLevel) bool { _, err := parseLimits(f.Field().String()); return err == nil },
	"window":   func(f validator.FieldLevel) bool { _, err := plan.ParseWindow(f.Field().String()); return err == nil },
	"route": func(f validator.FieldLevel) bool {
		_, err := dialplan.ParseEntry(f.Field().String())
		return err == nil
	},
	"fetchurl": func(f validator.FieldLevel) bool { return dialplan.CheckFetchURL(f.Field().String()) == nil },
	"callerid": func(f validator.FieldLevel) bool { return dialplan.CheckCallerID(f.Field().String()) == nil },
	"line":     func(f validator.FieldLevel) bool { return strings.IndexFunc(f.Field().String(), unicode.IsControl) < 0 },
	"webhook":  func(f validator.FieldLevel) bool { return webhook.CheckURL(f.Field().String()) == nil },
	"whsec": func(f validator.FieldLevel) bool {
		_, err := webhook.ParseSecret(f.Field().String())
		return err == nil
	},
	"program": func(f validator.FieldLevel) bool { return isProgram(f.Field().String()) },
	"word":    func(f validator.FieldLevel) bool { return isWord(f.Field().String()) },
}

// advice says what a rule wants; %s is its parameter. One with its parameter
// goes before one without.
var advice = map[string]string{
	"listen":                 "use HOST:PORT, for instance 127.0.0.1:8080; port 0 takes a free one",
	"hostname_port":          "use HOST:PORT as FreeSWITCH can reach it, for instance faxbot.example.net:8084",
	"hostname_rfc1123|ip":    "use a host's name or an address, without a port",
	"network":                "use addresses or networks with commas between them, for instance 10.0.0.0/8,192.0.2.7",
	"gateways":               "use the gateway's name in mod_sofia, or several with commas between them, each once: 1 to 64 letters, digits, dots, dashes and underscores, then perhaps a weight like *3",
	"routes":                 "use beginnings of numbers, each with its gateways, like +49=gw_de,gw_a;+1=gw_us",
	"switches":               "use entries like west=10.0.0.5:8021 password=WORD socket=10.0.0.9:8084 gateways=gw_a,gw_b channels=200, with semicolons between them; all but the name and the address may be left out",
	"channels":               "use a whole number from 1 to 100000, then perhaps others for some gateways, like 100,gw_a=30",
	"cps":                    "use a number above 0 and up to 100000, then perhaps others for some gateways, like 10,gw_a=0.5",
	"window":                 "use hours like 08:00-20:00",
	"route":                  "use EXTENSION XML CONTEXT, for instance faxbot XML default",
	"callerid":               "use an optional + and at most 20 digits",
	"webhook":                "use an address like https://example.net/hook",
	"whsec":                  "use whsec_ and the base64 of 24 to 64 bytes (echo whsec_$(openssl rand -base64 32))",
	"required_with URLs":     "set it to whsec_ and the base64 of 24 to 64 bytes (echo whsec_$(openssl rand -base64 32))",
	"required_with TLSKey":   "set it too, or leave out --tls-key (FAXBOT_TLS_KEY)",
	"required_with TLSCert":  "set it too, or leave out --tls-cert (FAXBOT_TLS_CERT)",
	"required_if Backend s3": "set it to the name of a bucket, or leave out --storage-backend (STORAGE_BACKEND)",
	"fetchurl":               "use the address of --internal-listen as FreeSWITCH reaches it, for instance http://10.0.0.5:8081",
	"http_url":               "use an address like https://fax.example.net",
	"program":                "use the name of a program in PATH, or a path from / on",
	"word":                   "use visible characters without spaces",
	"oneof":                  "use one of: %s",
	"min":                    "use at least %s",
	"max":                    "use at most %s",
	"gt":                     "use more than %s",
	"printascii":             "use printable ASCII only; a fax machine has no other letters",
	"required":               "set it",
	"required_without":       "set it to a long random word (openssl rand -hex 24), or pass --insecure-no-auth to let everybody send",
}

// check says which settings cannot be used, all at once.
func (s settings) check() error {
	flaws, err := s.flaws()
	if err != nil || len(flaws) == 0 {
		return err
	}
	return &settingsError{details(flaws)}
}

// flaws are why settings cannot be used.
func (s settings) flaws() ([]api.Flaw, error) {
	flaws, err := unusable(s)
	return append(flaws, s.contradictions()...), err
}

func details(flaws []api.Flaw) []string {
	var lines []string
	for _, f := range flaws {
		lines = append(lines, f.Detail)
	}
	return lines
}

// unusable are the flaws of settings in groups of them, each by itself.
func unusable(groups ...any) ([]api.Flaw, error) {
	v := validator.New(validator.WithRequiredStructEnabled())
	for name, rule := range rules {
		if err := v.RegisterValidation(name, rule); err != nil {
			return nil, err
		}
	}
	names := map[string]string{} // by what people write
	v.RegisterTagNameFunc(func(f reflect.StructField) string {
		name, _, _ := strings.Cut(f.Tag.Get("env"), ",")
		text := spelling(f.Tag.Get("name"), name)
		names[text] = name
		return text
	})
	var flaws []api.Flaw
	for _, group := range groups {
		err := v.Struct(group)
		var broken validator.ValidationErrors
		if err != nil && !errors.As(err, &broken) {
			return nil, err
		}
		for _, b := range broken {
			field, _, _ := strings.Cut(b.Field(), "[")
			flaws = append(flaws, api.Flaw{Setting: names[field], Detail: explain(b)})
		}
	}
	return flaws, nil
}

// contradictions are between settings that are fine by themselves.
func (s settings) contradictions() []api.Flaw {
	var flaws []api.Flaw
	if s.HTTP.APIKey != "" && s.HTTP.InsecureNoAuth {
		flaws = append(flaws, api.Flaw{Setting: "API_KEY", Detail: "--insecure-no-auth contradicts API_KEY: leave one of them out"})
	}
	if s.HTTP.RequireAPIKey && s.HTTP.InsecureNoAuth {
		flaws = append(flaws, api.Flaw{Setting: "REQUIRE_API_KEY", Detail: "--insecure-no-auth contradicts REQUIRE_API_KEY: leave one of them out"})
	}
	if s.HTTP.Listen == s.Inside.Listen && !strings.HasSuffix(s.HTTP.Listen, ":0") {
		flaws = append(flaws, api.Flaw{Setting: "FAXBOT_INTERNAL_LISTEN", Detail: fmt.Sprintf("--internal-listen (FAXBOT_INTERNAL_LISTEN) is %q, as is --listen (FAXBOT_LISTEN): "+
			"use another port, because what is served there is not for everybody", s.Inside.Listen)})
	}
	return flaws
}

// elsewhere are variables that the original Faxbot knows, about the place of its
// audit log.
var elsewhere = []string{"AUDIT_LOG_ENABLED", "AUDIT_LOG_FORMAT", "AUDIT_LOG_FILE", "AUDIT_LOG_SYSLOG", "AUDIT_LOG_SYSLOG_ADDRESS"}

// doubts are about settings that work on some machines and not on most.
func (s settings) doubts() []string {
	var lines []string
	if s.HTTP.InsecureNoAuth {
		lines = append(lines, "--insecure-no-auth: everybody who reaches "+s.HTTP.Listen+" may send faxes")
	}
	for _, name := range elsewhere {
		if os.Getenv(name) != "" {
			lines = append(lines, name+" means nothing here: the audit log is kept in the database, for FAXBOT_AUDIT_DAYS; see GET /admin/logs")
		}
	}
	near, where := s.Switch.near(), "FREESWITCH_ESL_HOST is "+s.Switch.far()
	if s.Switch.Several != "" {
		where = "FAXBOT_SWITCHES has a switch at " + s.Switch.far()
	}
	if !near && len(s.Socket.Allow) == 0 {
		lines = append(lines, where+", but calls may connect from this host only: "+
			"set FAXBOT_SOCKET_ALLOW to the address that FreeSWITCH comes from")
	}
	if listening, _, _ := net.SplitHostPort(s.Socket.Listen); !near && net.ParseIP(listening).IsLoopback() {
		lines = append(lines, where+", but calls are awaited at "+s.Socket.Listen+": "+
			"set FAXBOT_SOCKET_LISTEN to an address that FreeSWITCH reaches")
	}
	return lines
}

func explain(b validator.FieldError) string {
	what := fmt.Sprintf("is %q", fmt.Sprint(b.Value()))
	if reflect.ValueOf(b.Value()).IsZero() && (b.Kind() == reflect.String || b.Kind() == reflect.Slice) {
		what = "is not set"
	} else if b.Type() == reflect.TypeFor[secret]() {
		what = "cannot be used"
	}
	text, ok := advice[b.Tag()+" "+b.Param()]
	if !ok {
		text, ok = advice[b.Tag()]
	}
	if !ok {
		text = "it must be " + b.Tag() + " %s"
	}
	if strings.Contains(text, "%s") {
		text = fmt.Sprintf(text, strings.ReplaceAll(b.Param(), " ", ", "))
	}
	if b.Kind() == reflect.String && (b.Tag() == "min" || b.Tag() == "max") {
		text += " characters"
	}
	return b.Field() + " " + what + ": " + text
}

// spelling is how people write a setting: as the flag, then the variable.
func spelling(flag, env string) string {
	if env == "" {
		return "--" + flag
	}
	return "--" + flag + " (" + env + ")"
}

func isListen(s string) bool {
	host, port, err := net.SplitHostPort(s)
	n, perr := strconv.ParseUint(port, 10, 16)
	return err == nil && perr == nil && n <= 65535 && !strings.ContainsAny(host, " /")
}

// isProgram knows what leads to the same program from every folder.
func isProgram(s string) bool {
	return filepath.IsAbs(s) || s != "" && s == filepath.Base(s) && s != "." && s != ".."
}

func isWord(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c == 0x7f {
			return false
		}
	}
	return s != ""
}
