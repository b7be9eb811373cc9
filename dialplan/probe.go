package dialplan

import (
	"faxbot/controller/fax"
)

// Probe is a call that leads nowhere: mod_loopback's "null" endpoint answers it
// itself, without a dialplan, a second leg or the telephone network. All it can
// do is connect to Socket.
type Probe struct {
	Attempt fax.AttemptID // its channel's uuid
	Token   string        // lowercase hexadecimal
	Socket  string        // as in Call
}

// Originate renders the argument of api or bgapi. It fails with fax.Invalid
// when a value has a form that cannot be sent.
func (p Probe) Originate() (string, error) {
	socket, err := Sockets(p.Socket)
	if err != nil {
		return "", err
	}
	if _, err := fax.ParseAttemptID(string(p.Attempt)); err != nil {
		return "", err
	}
	if !plain(p.Token, "0123456789abcdef") || p.Token == "" {
		return "", fax.Errorf(fax.Invalid, "the call's token is not hexadecimal")
	}
	return "originate {origination_uuid=" + string(p.Attempt) + ",faxbot_attempt_id=" + string(p.Attempt) +
		",faxbot_token=" + p.Token + ",originate_timeout=5}null/faxbot-probe '&socket(" + socket + " async full)'", nil
}
