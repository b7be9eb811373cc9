package simulator

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// extension is what mod_dialplan_xml reads.
type extension struct {
	Name       string `xml:"name,attr"`
	Continue   string `xml:"continue,attr"`
	Conditions []struct {
		Field      string `xml:"field,attr"`
		Expression string `xml:"expression,attr"`
		Actions    []struct {
			Application string `xml:"application,attr"`
			Data        string `xml:"data,attr"`
		} `xml:"action"`

		expression *regexp.Regexp
	} `xml:"condition"`
}

// Load makes the extensions in text those of a context of the dialplan "XML",
// as reloadxml would; text is that of one file of its folder, or of several in
// their order. Conditions are on destination_number or a ${variable}, and break
// on false; there are no anti-actions.
func (s *Switch) Load(context, text string) error {
	var all []extension
	for in := xml.NewDecoder(strings.NewReader("<include>" + text + "</include>")); ; {
		token, err := in.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("simulator: dialplan: %w", err)
		}
		start, is := token.(xml.StartElement)
		if !is || start.Name.Local != "extension" {
			continue
		}
		var one extension
		if err := in.DecodeElement(&one, &start); err != nil {
			return fmt.Errorf("simulator: dialplan: %w", err)
		}
		for i, c := range one.Conditions {
			if one.Conditions[i].expression, err = regexp.Compile(c.Expression); err != nil {
				return fmt.Errorf("simulator: dialplan: extension %s: %w", one.Name, err)
			}
		}
		all = append(all, one)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dialplan[context] = all
	return nil
}

// route finds what is to be done with a call that is sent to the dialplan
// (mod_dialplan_xml.c, dialplan_hunt).
func (c *call) route(number, kind, context string) (todo []application) {
	c.sw.mu.Lock()
	all := c.sw.dialplan[context]
	c.sw.mu.Unlock()
	if kind != "XML" {
		return nil
	}
	for _, e := range all {
		matched := len(e.Conditions) > 0
		for _, condition := range e.Conditions {
			field := number
			if condition.Field != "destination_number" {
				field = c.expand(condition.Field)
			}
			if matched = condition.Field == "" || condition.expression.MatchString(field); !matched {
				break
			}
			for _, a := range condition.Actions {
				todo = append(todo, application{name: a.Application, data: a.Data})
			}
		}
		if matched && !truthy(e.Continue) {
			break
		}
	}
	return todo
}

// Expand is switch_channel_expand_variables: ${name} becomes its value and
// ${command(arguments)} what the command prints, \\ becomes \, and \$ becomes a
// dollar sign that begins nothing. What was put in is not looked at again.
func Expand(text string, value func(name string) string) string {
	if !strings.Contains(text, "${") && !strings.Contains(text, `\`) {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch rest := text[i:]; {
		case strings.HasPrefix(rest, `\$`), strings.HasPrefix(rest, `\\`):
			i++
			b.WriteByte(text[i])
		case strings.HasPrefix(rest, `\'`):
			i++
		case strings.HasPrefix(rest, "${"):
			end := matching(rest[1:], '{', '}')
			if end < 0 {
				end = len(rest) - 1
			}
			name := rest[2 : end+1]
			command, arguments, is := strings.Cut(name, "(")
			switch arguments = strings.TrimSuffix(arguments, ")"); {
			case !is:
				b.WriteString(value(name))
			case command == "url_encode":
				b.Write(encode(nil, Expand(arguments, value)))
			default:
				b.WriteString("-ERR " + command + " Command not found!\n")
			}
			i += end + 1
		default:
			b.WriteByte(text[i])
		}
	}
	return b.String()
}

// expand puts the channel's variables in.
func (c *call) expand(text string) string { return Expand(text, c.value) }

// Words splits arguments at spaces, as every command and application does.
func Words(text string) []string { return separate(text, ' ', 80) }

// post is what mod_curl makes of its arguments when they say post
// (mod_curl.c, curl_function): the data is decoded before it goes out.
func (s *Switch) post(argv []string) string {
	var data string
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "User-Agent": {"freeswitch-curl/1.0"}}
	for i := 1; i+1 < len(argv); i++ {
		switch strings.ToLower(argv[i]) {
		case "append_headers":
			name, value, _ := strings.Cut(argv[i+1], ":")
			header.Set(name, strings.TrimSpace(value))
		case "post":
			data = decode(argv[i+1])
		case "connect-timeout", "timeout", "content-type":
		default:
			continue
		}
		i++
	}
	r, err := http.NewRequestWithContext(s.now().over, http.MethodPost, argv[0], strings.NewReader(data))
	if err != nil {
		return ""
	}
	r.Header = header
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(r)
	if err != nil {
		s.log.Info("curl got no answer", "error", err)
		return ""
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(answer.Body, 64<<10))
	return string(text)
}
