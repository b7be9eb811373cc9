package dialplan

import (
	"net/url"
	"strings"

	"faxbot/controller/fax"
)

// A switch that does not see our files fetches them over HTTP into a cache of
// its own (mod_http_cache). Nothing we can say deletes a file there:
// http_remove_cache only forgets its address. It goes when as many others as
// the cache holds have come, or the switch starts anew (url_cache_replace,
// setup_dir).

// CheckFetchURL refuses addresses that could break out of a command.
func CheckFetchURL(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil ||
		!plain(strings.ToLower(address), "0123456789abcdefghijklmnopqrstuvwxyz:/.-_[]") {
		return fax.Errorf(fax.Invalid, "%.80q is no address that FreeSWITCH can fetch from: use http://HOST:PORT", address)
	}
	return nil
}

// Fetch returns the api command that has the switch fetch an address. Its
// answer is the path of the file there, or "-ERR …" (mod_http_cache.c,
// http_cache_get).
func Fetch(address string) string { return "http_get " + address }
