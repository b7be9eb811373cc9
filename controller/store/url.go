package store

import (
	"cmp"
	"errors"
	"net"
	"net/url"
	"os"
	"strings"
)

// postgresURL is the rest of a URL as the driver wants it. As in libpq, several
// servers stand with commas between them: "a:5432,b:5433" before the path, or
// host=a,b&port=5432,5433 behind it. One of them can be written to.
func postgresURL(rest string) (*url.URL, error) {
	before, servers, behind := authority(rest)
	if !strings.Contains(servers, ",") {
		before, servers, behind = rest, "", ""
	}
	u, err := url.Parse("postgres://" + before + behind)
	if err != nil {
		// The parser's own words would repeat the URL.
		return nil, errors.New("this is not a URL; write special characters in the password as %40 and the like")
	}
	settings := u.Query()
	if servers != "" {
		if err := several(settings, servers); err != nil {
			return nil, err
		}
	}
	standard := map[string]string{
		"sslmode":           cmp.Or(os.Getenv("PGSSLMODE"), "prefer"), // as libpq does
		"connect_timeout":   "10",                                     // s
		"application_name":  "faxbot",
		"binary_parameters": "yes", // see rebound
	}
	if strings.Contains(settings.Get("host"), ",") {
		standard["target_session_attrs"] = "read-write"
		standard["connect_timeout"] = "3" // for each that does not answer
	}
	for name, value := range standard {
		if !settings.Has(name) {
			settings.Set(name, value)
		}
	}
	u.RawQuery = settings.Encode()
	return u, nil
}

// authority cuts the servers out of a URL.
func authority(rest string) (before, servers, behind string) {
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	begin := strings.LastIndex(rest[:end], "@") + 1
	return rest[:begin], rest[begin:end], rest[end:]
}

// several adds a list of servers to the settings.
func several(settings url.Values, servers string) error {
	if settings.Has("host") || settings.Has("port") {
		return errors.New("name the servers before the path, or behind it as host=a,b&port=5432,5433, not both")
	}
	var hosts, ports []string
	for server := range strings.SplitSeq(servers, ",") {
		host, port := server, "5432"
		if h, p, err := net.SplitHostPort(server); err == nil {
			host, port = h, p
		}
		host, err := url.PathUnescape(strings.Trim(host, "[]"))
		if err != nil || host == "" {
			return errors.New("of several servers one has no name")
		}
		hosts, ports = append(hosts, host), append(ports, port)
	}
	settings.Set("host", strings.Join(hosts, ","))
	settings.Set("port", strings.Join(ports, ","))
	return nil
}
