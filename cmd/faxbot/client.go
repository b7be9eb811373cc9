package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Exit statuses of the commands that follow a fax to its end.
const (
	exitUndelivered = 3
	exitCancelled   = 4
	exitHeld        = 5
	exitUnfinished  = 6
)

// statuses is shown in the help of those commands.
const statuses = `Exit status: 0 delivered (without --wait: accepted), 1 the daemon cannot be reached or refused, 2 wrong usage,
3 failed for good, 4 cancelled, 5 held: a person must decide (faxbot release), 6 not ended when --timeout was over.`

// outcome is an end of a fax that is told by the exit status, too.
type outcome struct {
	status int
	text   string
}

func (o *outcome) Error() string { return o.text }

// client is what the commands of a client have in common.
type client struct {
	remote `embed:""`
	JSON   bool `name:"json" help:"Print JSON, as the daemon sends it, for scripts."`
}

// remote is how a daemon is reached.
type remote struct {
	URL string `name:"url" default:"http://127.0.0.1:8080" env:"FAXBOT_URL" placeholder:"URL" help:"Where the daemon serves REST (${default})."`
	Key secret `name:"key" env:"FAXBOT_API_KEY" placeholder:"KEY" help:"A key that the daemon knows. Set it in the environment: other users can see flags."`
}

// usualURL is the default of --url.
const usualURL = "http://127.0.0.1:8080"

// headersWithin bounds how long a daemon may think; a conversion is not
// waited for.
const headersWithin = time.Minute

// http never follows a redirection: the key is for one address.
var plainHTTP = &http.Client{
	Transport: &http.Transport{
		Proxy: http.ProxyFromEnvironment, ResponseHeaderTimeout: headersWithin, ForceAttemptHTTP2: true,
		TLSHandshakeTimeout: 10 * time.Second, IdleConnTimeout: 30 * time.Second,
	},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// send sends a request. The caller closes the body of the reply, whatever it
// says.
func (c remote) send(ctx context.Context, method, path string, header http.Header, body io.Reader) (*http.Response, error) {
	base, err := url.Parse(c.URL)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, &settingsError{[]string{fmt.Sprintf("--url (FAXBOT_URL) is %q: use for instance http://127.0.0.1:8080", c.URL)}}
	}
	r, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(c.URL, "/")+path, body)
	if err != nil {
		return nil, err
	}
	if header != nil {
		r.Header = header
	}
	r.Header.Set("User-Agent", "faxbot/"+version())
	if c.Key != "" {
		r.Header.Set("X-API-Key", string(c.Key))
	}
	answer, err := plainHTTP.Do(r)
	if err != nil {
		return nil, fmt.Errorf("the daemon cannot be reached: %w; see --url (FAXBOT_URL)", err)
	}
	return answer, nil
}

// open is send, but a reply that is no success becomes a *refusal.
func (c remote) open(ctx context.Context, method, path string, header http.Header, body io.Reader) (*http.Response, error) {
	answer, err := c.send(ctx, method, path, header, body)
	if err != nil || answer.StatusCode < 300 {
		return answer, err
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(answer.Body, 64<<10))
	refused := refusal{status: answer.StatusCode}
	if json.Unmarshal(text, &refused) != nil || refused.Detail == "" {
		refused.stranger = true
		refused.Detail = "this does not look like a Faxbot; see --url (FAXBOT_URL)"
	}
	return nil, &refused
}

// refusal is what the daemon says when it does not do as asked.
type refusal struct {
	status   int
	stranger bool   // it was no Faxbot that answered
	Detail   string `json:"detail"`
}

func (r *refusal) Error() string {
	text := fmt.Sprintf("refused (%d %s): %s", r.status, http.StatusText(r.status), visible(r.Detail))
	if r.status == http.StatusUnauthorized {
		text += "; see --key (FAXBOT_API_KEY)"
	}
	return text
}

// maxReply bounds what is kept of a reply.
const maxReply = 64 << 20

// ask sends a request and returns the JSON of the reply, also read into v.
func (c client) ask(method, path string, header http.Header, body io.Reader, v any) (json.RawMessage, error) {
	answer, err := c.open(context.Background(), method, path, header, body)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxReply))
	if err == nil {
		err = json.Unmarshal(text, v)
	}
	if err != nil {
		return nil, fmt.Errorf("the reply of the daemon: %w", err)
	}
	return text, nil
}

// askJSON is ask with a body in JSON.
func (c client) askJSON(method, path string, body, v any) (json.RawMessage, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	return c.ask(method, path, http.Header{"Content-Type": {"application/json"}}, strings.NewReader(string(text)), v)
}

// print writes the JSON for a script, or has it shown to a person.
func (c client) print(out io.Writer, text json.RawMessage, show func() error) error {
	if !c.JSON {
		return show()
	}
	_, err := fmt.Fprintf(out, "%s\n", strings.TrimSpace(string(text)))
	return err
}

// visible keeps text that others wrote from moving the cursor.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return '?'
		}
		return r
	}, s)
}

// isRefused says whether the daemon answered, and no.
func isRefused(err error) bool { return errors.As(err, new(*refusal)) }
