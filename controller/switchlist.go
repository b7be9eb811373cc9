package controller

import (
	"net"
	"slices"
	"strconv"
	"strings"

	"faxbot/controller/fax"
	"faxbot/dialplan"
)

// Switch is a FreeSWITCH that this host serves.
type Switch struct {
	Name     string // in the database and for people; default DefaultSwitch
	Address  string // HOST:PORT where it takes commands (mod_event_socket)
	Password string
	// Advertise is our socket for calls as this switch reaches it; "" for
	// Config.Advertise.
	Advertise string
	// Gateways are those of the policy that it has; none for all.
	Gateways []string
	Channels int // calls at once, those of all hosts together; 0 for as many as the gateways carry
}

// DefaultSwitch is the name of a switch that has no other.
const DefaultSwitch = "freeswitch"

// Has says whether calls may leave it through the gateway.
func (s Switch) Has(gateway string) bool {
	return len(s.Gateways) == 0 || slices.Contains(s.Gateways, gateway)
}

// ParseSwitches reads several switches with semicolons between them:
//
//	west=10.0.0.5:8021 password=WORD socket=10.0.0.9:8084 gateways=gw_a,gw_b channels=200
//
// Only name and address are needed; one without a password has the usual one.
func ParseSwitches(text, password string) ([]Switch, error) {
	var list []Switch
	for one := range strings.SplitSeq(text, ";") {
		words := strings.Fields(one)
		if len(words) == 0 {
			continue
		}
		s := Switch{Password: password}
		for i, word := range words {
			what, value, ok := strings.Cut(word, "=")
			var err error
			switch {
			case !ok || value == "" || what == "":
				err = fax.Errorf(fax.Invalid, "word %d of switch %d has not the form WHAT=VALUE", i+1, len(list)+1)
			case i == 0:
				s.Name, s.Address = what, value
			case what == "password":
				s.Password = value
			case what == "socket":
				s.Advertise = value
			case what == "gateways":
				s.Gateways = strings.Split(value, ",")
			case what == "channels":
				if s.Channels, err = strconv.Atoi(value); err != nil || s.Channels < 1 {
					err = fax.Errorf(fax.Invalid, "channels of switch %s: use a whole number from 1", s.Name)
				}
			default:
				err = fax.Errorf(fax.Invalid, "%.40q of switch %s: use password, socket, gateways or channels", what, s.Name)
			}
			if err != nil {
				return nil, err
			}
		}
		list = append(list, s)
	}
	return checkSwitches(list)
}

func checkSwitches(list []Switch) ([]Switch, error) {
	if len(list) == 0 {
		return nil, fax.Errorf(fax.Invalid, "there is no switch")
	}
	list = slices.Clone(list)
	seen := map[string]bool{}
	for i := range list {
		s := &list[i]
		s.Name = or(s.Name, DefaultSwitch)
		if len(s.Name) > 40 || strings.ToValidUTF8(s.Name, "") != s.Name || strings.ContainsAny(s.Name, " \t\r\n") {
			return nil, fax.Errorf(fax.Invalid, "the name of switch %.40q: use up to 40 characters without spaces", s.Name)
		}
		if seen[s.Name] {
			return nil, fax.Errorf(fax.Invalid, "there are two switches %s", s.Name)
		}
		seen[s.Name] = true
		if _, port, err := net.SplitHostPort(s.Address); err != nil || port == "" {
			return nil, fax.Errorf(fax.Invalid, "switch %s is at %.80q: use HOST:PORT", s.Name, s.Address)
		}
		for _, g := range s.Gateways {
			if err := dialplan.CheckGateway(g); err != nil {
				return nil, err
			}
		}
		if s.Advertise != "" {
			if _, err := dialplan.Sockets(s.Advertise); err != nil {
				return nil, err
			}
		}
	}
	return list, nil
}
