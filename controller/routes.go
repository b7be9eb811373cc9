package controller

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"slices"
	"strconv"
	"strings"

	"faxbot/controller/fax"
	"faxbot/dialplan"
)

// Gateway is a way out to the telephone network.
type Gateway struct {
	Name string // in mod_sofia
	// Weight is its share of the faxes among the neighbours in its list that
	// have one, too. 0 for none: then its place alone counts.
	Weight   int
	Channels int     // calls at once; default 100
	CPS      float64 // new calls per second; default 10
}

// Route lists the gateways for the numbers with a prefix. One that is in several
// lists has the limits with which it comes first.
type Route struct {
	Prefix   string // of the number as it is dialled: "+49", "0"
	Gateways []Gateway
}

// maxWeight keeps shares within what a person means.
const maxWeight = 1000

// ParseGateways reads names with commas between them, each perhaps with a
// weight: gw_a*3,gw_b*1,gw_backup.
func ParseGateways(text string) ([]Gateway, error) {
	var list []Gateway
	for one := range strings.SplitSeq(text, ",") {
		name, weight, weighted := strings.Cut(strings.TrimSpace(one), "*")
		g := Gateway{Name: name}
		if weighted {
			n, err := strconv.Atoi(weight)
			if err != nil || n < 1 || n > maxWeight {
				return nil, fax.Errorf(fax.Invalid, "weight %.20q: use a whole number from 1 to %d", weight, maxWeight)
			}
			g.Weight = n
		}
		list = append(list, g)
	}
	return checkList(list)
}

// ParseRoutes reads prefixes and their gateways: +49=gw_de,gw_backup;+1=gw_us.
func ParseRoutes(text string) ([]Route, error) {
	var list []Route
	for one := range strings.SplitSeq(text, ";") {
		if strings.TrimSpace(one) == "" {
			continue
		}
		prefix, names, ok := strings.Cut(one, "=")
		if !ok {
			return nil, fax.Errorf(fax.Invalid, "route %.40q: use PREFIX=GATEWAY,GATEWAY", one)
		}
		gateways, err := ParseGateways(names)
		if err != nil {
			return nil, err
		}
		list = append(list, Route{strings.TrimSpace(prefix), gateways})
	}
	return checkRoutes(list)
}

// CheckGateways says whether a fax may ask for these gateways: names with commas
// between them; "" leaves it to the daemon.
func CheckGateways(names string) error {
	if names == "" {
		return nil
	}
	if strings.Contains(names, "*") {
		return fax.Errorf(fax.Invalid, "gateway %.64q: a fax has one order, without weights", names)
	}
	_, err := ParseGateways(names)
	return err
}

// checkList returns the list with defaults, or says what is wrong with it.
func checkList(list []Gateway) ([]Gateway, error) {
	if len(list) == 0 {
		return nil, fax.Errorf(fax.Invalid, "there is no gateway")
	}
	list = slices.Clone(list)
	seen := map[string]bool{}
	for i := range list {
		g := &list[i]
		if err := dialplan.CheckGateway(g.Name); err != nil {
			return nil, err
		}
		if seen[g.Name] {
			return nil, fax.Errorf(fax.Invalid, "gateway %s is listed twice", g.Name)
		}
		seen[g.Name] = true
		if g.Channels <= 0 {
			g.Channels = 100
		}
		if g.CPS <= 0 {
			g.CPS = 10
		}
	}
	return list, nil
}

func checkRoutes(list []Route) ([]Route, error) {
	list = slices.Clone(list)
	seen := map[string]bool{}
	for i := range list {
		r := &list[i]
		if digits := strings.TrimPrefix(r.Prefix, "+"); r.Prefix == "" || strings.Trim(digits, "0123456789") != "" {
			return nil, fax.Errorf(fax.Invalid, "prefix %.40q: use the beginning of numbers as they are dialled, like +49 or 0", r.Prefix)
		}
		if seen[r.Prefix] {
			return nil, fax.Errorf(fax.Invalid, "prefix %s has two routes", r.Prefix)
		}
		seen[r.Prefix] = true
		var err error
		if r.Gateways, err = checkList(r.Gateways); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// gateways are all that are listed anywhere, each once.
func (p *Policy) gateways() []Gateway {
	all := slices.Clone(p.Gateways)
	for _, r := range p.Routes {
		for _, g := range r.Gateways {
			if !slices.ContainsFunc(all, func(known Gateway) bool { return known.Name == g.Name }) {
				all = append(all, g)
			}
		}
	}
	return all
}

// Names are the names of all gateways, the preferred first.
func (p *Policy) Names() []string {
	var names []string
	for _, g := range p.gateways() {
		names = append(names, g.Name)
	}
	return names
}

// ways are the gateways for a fax, the preferred first: those that it names,
// else those of its route.
func (p *Policy) ways(job fax.Job) []string {
	var names []string
	if own := job.Options.Gateway; own != "" {
		for name := range strings.SplitSeq(own, ",") {
			names = append(names, strings.TrimSpace(name))
		}
		return names
	}
	list, longest := p.Gateways, 0
	for _, r := range p.Routes {
		if len(r.Prefix) > longest && strings.HasPrefix(string(job.To), r.Prefix) {
			list, longest = r.Gateways, len(r.Prefix)
		}
	}
	for _, g := range share(list, job.ID) {
		names = append(names, g.Name)
	}
	return names
}

// share puts each run of weighted gateways into the order in which this fax
// tries them. Over many faxes each comes first as often as its weight says; for
// one fax the order is always the same, on every host, so that its plan comes
// true.
func share(list []Gateway, id fax.JobID) []Gateway {
	list = slices.Clone(list)
	for i := 0; i < len(list); {
		end := i
		for end < len(list) && list[end].Weight > 0 {
			end++
		}
		slices.SortStableFunc(list[i:end], func(a, b Gateway) int {
			switch x, y := a.draw(id), b.draw(id); {
			case x < y:
				return -1
			case x > y:
				return 1
			}
			return 0
		})
		i = max(end, i+1)
	}
	return list
}

// draw is a lot of the gateway for a fax: the lowest one is first, for each
// gateway with a chance in proportion to its weight (exponential variates; it
// is known as weighted rendezvous hashing).
func (g Gateway) draw(id fax.JobID) float64 {
	sum := sha256.Sum256([]byte(string(id) + "/" + g.Name))
	uniform := (float64(binary.BigEndian.Uint64(sum[:8])>>11) + 0.5) / (1 << 53)
	return -math.Log(uniform) / float64(g.Weight)
}
