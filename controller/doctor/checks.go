package doctor

import (
	"cmp"
	"slices"
)

// checks are all of them, in the order in which a person would ask.
func (v *visit) checks() []question {
	list := questions(nil, []check{
		{"settings", "validated as faxbot serve does", true, nil, (*visit).settings},
		{"accepting", "asked this daemon", true, nil, (*visit).accepting},
		{"user", "compared this process with the owner of the document folder", false, nil, (*visit).user},
		{"api_key", "looked at API_KEY", false, nil, (*visit).apiKey},
		{"hook_secret", "looked at FREESWITCH_HOOK_SECRET", false, nil, (*visit).hookSecret},
		{"webhooks", "looked at FAXBOT_WEBHOOK_URLS and FAXBOT_WEBHOOK_SECRETS", false, nil, (*visit).webhooks},
		{"tls", "read the files", false, nil, (*visit).tls},
		{"ports", "bound each address", false, nil, (*visit).ports},
		{"open_files", "getrlimit(RLIMIT_NOFILE)", false, nil, (*visit).openFiles},
		{"database", "tried to write, and took it back", true, []string{"user"}, (*visit).database},
		{"documents", "wrote a file, synced and removed it", true, []string{"user"}, (*visit).documents},
		{"bucket", "asked whether it exists", true, []string{"documents"}, (*visit).bucket},
		{"disk", "statfs of the document folder", true, []string{"documents"}, (*visit).disk},
		{"ghostscript", "gs --version", true, []string{"documents"}, (*visit).ghostscript},
		{"helpers", "looked for soffice and mutool", false, []string{"documents"}, (*visit).helpers},
		{"drawing", "had a PDF drawn as a fax, and removed it", false, []string{"ghostscript", "disk", "bucket"}, (*visit).drawing},
	})
	for _, line := range v.visits() {
		list = append(list, line.ofLine(len(v.Others) > 0)...)
	}
	return append(list, questions(nil, []check{
		{"t38", "looked at FREESWITCH_T38_ENABLE; FreeSWITCH cannot be asked", false, nil, (*visit).t38},
	})...)
}

func questions(on *visit, checks []check) []question {
	list := make([]question, len(checks))
	for i, c := range checks {
		list[i] = question{c, on}
	}
	return list
}

// ofLine are those of one switch; where there are several, its name ends theirs.
func (v *visit) ofLine(several bool) []question {
	list := []check{
		{"switch", "TCP connection to the event socket, and its greeting", true, nil, (*visit).reach},
		{"acl", "the event socket's greeting", true, []string{"switch"}, (*visit).acl},
		{"password", "auth", true, []string{"acl"}, (*visit).password},
		{"answers", "api status", false, []string{"password"}, (*visit).answers},
		{"version", "api version short", false, []string{"answers"}, (*visit).version},
		{"clock", "api strmicroepoch, compared with ours", false, []string{"answers"}, (*visit).clock},
		{"fax_engine", "api module_exists mod_spandsp", true, []string{"password", "answers"}, module("mod_spandsp", Fails, "it is the fax engine")},
		{"records", "api module_exists mod_db", false, []string{"answers"}, module("mod_db", Warning,
			"a result that nobody heard, because this daemon was down, is lost, and that fax is held")},
		{"hook_module", "api module_exists mod_curl", false, []string{"answers"}, module("mod_curl", Warning,
			"the fallback hook of the dialplan needs it, or its form with a shell")},
		{"fetch_module", "api module_exists mod_http_cache", false, []string{"answers"}, (*visit).fetchModule},
	}
	for i, name := range v.Gateways {
		label := "gateway"
		if i > 0 {
			label += " " + name
		}
		list = append(list, check{label, "api sofia xmlstatus gateway " + name, true, []string{"password", "answers"}, gateway(name)})
	}
	list = append(list,
		check{
			"connects_back", "api originate null/… '&socket(…)': a call without a line that only connects to us", false,
			[]string{"answers", "ports"},
			(*visit).connectsBack,
		},
		check{
			"reads_documents", "api file_exists and api curl file://… of a file that was just written", true,
			[]string{"password", "answers", "documents"},
			(*visit).readsDocuments,
		},
	)
	if several {
		v.name(list)
	}
	return questions(v, list)
}

// name puts the switch's name behind those of its checks, also where they are
// needed.
func (v *visit) name(list []check) {
	behind := map[string]string{}
	for _, c := range list {
		behind[c.name] = c.name + " " + v.Switch.Name
	}
	for i, c := range list {
		needs := slices.Clone(c.needs)
		for n, need := range needs {
			needs[n] = cmp.Or(behind[need], need)
		}
		list[i].name, list[i].needs = behind[c.name], needs
	}
}
