package controller

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"

	"faxbot/controller/fax"
	"faxbot/controller/freeswitch"
	"faxbot/controller/plan"
	"faxbot/controller/store"
	"faxbot/dialplan"
	"faxbot/events"
)

// guestGateway stands for the way that a call took which others placed; no
// gateway can have this name.
const guestGateway = "(dialplan)"

// receive takes in a guest: a call without our token, which a dialplan or a
// script has placed for a fax of ours. It never makes a second call of one: the
// same claim that precedes each of our own calls decides. nil refuses it.
func (c *Controller) receive(conn *freeswitch.Call, said *events.Connected) freeswitch.Session {
	id, _ := fax.ParseJobID(said.JobID) // no other text of a stranger is logged
	log := c.log.With("call", fmt.Sprintf("%.40s", said.UUID), "fax", id)
	if !c.config.Guests {
		log.Warn("a call that is not ours is refused; set FAXBOT_GUEST_CALLS if its dialplan places it for us")
		return nil
	}
	to, on, err := c.checkGuest(conn, said)
	if err != nil {
		log.Warn("a call that others placed is refused", "why", err)
		return nil
	}
	one, err := c.claimFor(said, to, on)
	if err != nil {
		log.Warn("a call that others placed is refused: no fax may be sent over it", "number", to.Masked(), "why", err)
		return nil
	}
	k := c.newCall(one.Job, one.Attempt)
	k.conn = conn
	k.verdict.hear(byCall, said)
	c.enter(k)
	k.log().Info("a call that others placed is taken", "number", to.Masked(), "attempt_no", one.Attempt.Ordinal, "start_page", one.Attempt.Parameters.StartPage)
	k.notify()
	if !k.hasPages(one.Attempt) {
		return nil
	}
	if err := k.instruct(one.Attempt); err != nil {
		k.log().Warn("the call is hung up, nothing was sent", "error", err)
		k.conclude(fax.Result{Cause: fax.Switch, Code: fax.NoCode, Text: err.Error(), Witnesses: fax.Testimony{Decided: fax.ByLink}})
		return nil
	}
	return k
}

// checkGuest finds out whether the peer is the channel that it says it is, and
// whom the switch has called over it. That others can reach the socket proves
// nothing; what we set over the command link only the switch can repeat.
func (c *Controller) checkGuest(conn *freeswitch.Call, said *events.Connected) (fax.Number, *exchange, error) {
	id, err := fax.ParseAttemptID(said.UUID)
	switch {
	case err != nil:
		return "", nil, errors.New("its channel's uuid is none")
	case !said.Async || !said.Full:
		return "", nil, freeswitch.ErrNotAsync
	case !said.Outbound:
		return "", nil, errors.New("it came in; nobody is sent a fax because he calls")
	case c.find(id) != nil:
		return "", nil, errors.New("it has the uuid of a call of ours")
	}
	to, err := fax.ParseNumber(said.Number)
	if err != nil {
		return "", nil, errors.New("the switch does not say which number it called; set faxbot_number")
	}
	word := newToken()
	on, err := c.whoHas(id, word)
	if err != nil {
		return "", nil, err
	}
	repeated, err := conn.Variable(dialplan.Proof)
	if err != nil {
		return "", nil, err
	}
	if subtle.ConstantTimeCompare([]byte(repeated), []byte(word)) != 1 {
		return "", nil, errors.New("the peer is not that channel")
	}
	return to, on, nil
}

// whoHas finds the switch that has the channel, and sets a word on it there.
func (c *Controller) whoHas(id fax.AttemptID, word string) (*exchange, error) {
	err := errors.New("no switch can be asked about it")
	for _, e := range c.usable() {
		answer, failed := e.link.API(dialplan.Prove(id, word))
		if failed == nil && strings.HasPrefix(answer, "+OK") {
			return e, nil
		}
		if err = failed; err == nil {
			err = fmt.Errorf("the switch does not know it: %.40q", strings.TrimSpace(answer))
		}
	}
	return nil, err
}

// claimFor makes the call the next attempt of the fax that it names, or of the
// most urgent one to the number.
func (c *Controller) claimFor(said *events.Connected, to fax.Number, on *exchange) (store.Claimed, error) {
	now := c.store.Now()
	var id fax.JobID
	if said.JobID != "" {
		var err error
		if id, err = fax.ParseJobID(said.JobID); err != nil {
			return store.Claimed{}, err
		}
	}
	if c.isDraining() {
		return store.Claimed{}, errDraining
	}
	policy := c.policy.Load()
	if policy.Disabled {
		return store.Claimed{}, errors.New("calling is switched off")
	}
	var why error
	one, err := c.store.ClaimFor(c.life, store.ClaimRequest{
		Now: now, Lease: c.config.Lease,
		Plan: func(one store.Candidate) (fax.Attempt, bool) {
			if c.isBusy(one.Job.To) {
				why = errors.New("a call to the number is up")
			} else if policy.plan().Opening(one.Job, now).After(now) {
				why = errors.New("these are not its hours")
			} else if text := plan.Suspect(one.Known); text != "" && len(one.Previous) == 0 {
				why = errors.New(text)
			}
			if why != nil {
				return fax.Attempt{}, false
			}
			s := c.situation(one.Job, one.Previous, one.Known, nil, now)
			s.Gateways = []plan.Gateway{{Name: guestGateway}}
			next := plan.Next(s)
			return fax.Attempt{
				ID: fax.AttemptID(said.UUID), Token: newToken(), Gateway: guestGateway, Switch: on.name, Core: on.link.Core(),
				Parameters: next.Parameters, Reasons: next.Reasons,
			}, true
		},
	}, to, id)
	if why != nil {
		err = why
	}
	return one, err
}

// instruct tells the switch of a guest what originate tells it of our own calls.
func (k *call) instruct(a fax.Attempt) error {
	command, err := k.told(a).Instruct()
	if err != nil {
		return err
	}
	answer, err := k.on.link.API(command)
	if err == nil && !strings.HasPrefix(answer, "+OK") {
		err = fmt.Errorf("the switch did not take the call's parameters: %.80q", answer)
	}
	return err
}
