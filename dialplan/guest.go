package dialplan

import (
	"strconv"
	"strings"

	"faxbot/controller/fax"
)

// A guest is a call that others placed on the switch and sent to our socket. It
// is told over the command link what originate tells our own calls.

// Proof is a variable that only the switch can repeat: set on a channel over
// the command link, and asked for over the connection that claims to be that
// channel's.
const Proof = "faxbot_proof"

// Prove returns the api command that sets the proof on a channel. Word is
// lowercase hexadecimal.
func Prove(channel fax.AttemptID, word string) string {
	return "uuid_setvar " + string(channel) + " " + Proof + " " + word
}

// Instruct renders the api command that makes a channel that is up a call of
// ours; Gateway, Number, CallerID, Ring, Socket and Entry are not looked at. All
// that decides which pages are sent is said, whatever its maker may have set.
func (c Call) Instruct() (string, error) {
	if _, err := fax.ParseAttemptID(string(c.Attempt)); err != nil {
		return "", err
	}
	if _, err := fax.ParseJobID(string(c.Job)); err != nil {
		return "", err
	}
	if !plain(c.Token, "0123456789abcdef") || c.Token == "" {
		return "", fax.Errorf(fax.Invalid, "the call's token is not hexadecimal")
	}
	vars := append(c.identity(), c.fax()...)
	vars.set("fax_start_page", strconv.Itoa(max(c.Parameters.StartPage, 0)))
	vars.set("fax_end_page", "-1")
	return strings.Join([]string{"uuid_setvar_multi", string(c.Attempt), vars.join(";")}, " "), nil
}
