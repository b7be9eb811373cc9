package dialplan

import "strings"

// HookPath is where the daemon takes results.
const HookPath = "/_internal/freeswitch/outbound_result"

// hookConfig is the file in FreeSWITCH's configuration folder that curl reads
// in the shell form: so the secret is in no list of processes and in no log.
const hookConfig = "faxbot-hook.curl"

// Hook is the action that has FreeSWITCH post the result of a call when it is
// hung up: the data of the application "set".
//
// Each ${…} in it must survive two expansions, that of every application's
// arguments and that of set (switch_core_session.c; mod_dptools.c, base_set), to
// be expanded by the third, at hang-up (switch_core_state_machine.c, api_hook).
// \\\${x} becomes \${x} becomes ${x} becomes the value; a bare ${fax_success}
// is expanded before there is a fax, to nothing.
//
// mod_curl splits its arguments at spaces, then undoes %XX before it posts
// (mod_curl.c, curl_function). So the text comes last and encoded: whatever is
// in it, the fields before it were said first, and the first of a name counts.
// The shell gets no text at all, but only what the switch itself makes of
// digits, letters and underscores.
func (s Site) Hook() string {
	post := strings.Join([]string{
		"job_id=" + late("faxbot_job_id"),
		"uuid=" + late("uuid"),
		"fax_status=" + late("fax_success"),
		"fax_result_code=" + late("fax_result_code"),
		"fax_document_transferred_pages=" + late("fax_document_transferred_pages"),
		"hangup_cause=" + late("hangup_cause"),
	}, "&")
	if s.Shell {
		return "api_hangup_hook=system curl -K '$${conf_dir}/" + hookConfig + "' -d '" + post + "'"
	}
	return "api_hangup_hook=curl " + s.HookURL + " append_headers X-Internal-Secret:" + s.HookSecret +
		" connect-timeout 5 timeout 10 post " + post + "&fax_result_text=" + late("url_encode("+late("fax_result_text")+")")
}

// late is a variable that is expanded at hang-up.
func late(name string) string { return `\\\${` + name + "}" }
