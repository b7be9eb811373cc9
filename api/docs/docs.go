// Package docs makes the page that people read out of openapi.yaml. The page is
// whole: no script, no other host, and only the styles that come with it.
package docs

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

//go:embed page.html
var page string

//go:embed page.css
var style string

// Page is the page as it is sent.
type Page struct {
	HTML []byte
	// Styles is what a Content-Security-Policy says of style-src.
	Styles string
}

// Make draws the page of a description. It fails only if that is no OpenAPI.
func Make(openapi []byte) (Page, error) {
	var d description
	if err := yaml.Unmarshal(openapi, &d); err != nil {
		return Page{}, err
	}
	t, err := template.New("page").Funcs(template.FuncMap{
		"prose": prose, "slug": slug, "follow": d.follow,
	}).Parse(page)
	if err != nil {
		return Page{}, err
	}
	var b bytes.Buffer
	err = t.Execute(&b, struct {
		description
		Style    template.CSS
		Chapters []chapter
	}{d, template.CSS(style), d.chapters()}) //nolint:gosec // our own file
	sum := sha256.Sum256([]byte(style))
	return Page{b.Bytes(), "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"}, err
}

// chapter is what the routes of one tag come to.
type chapter struct {
	Name, Description string
	Routes            []route
}

type route struct {
	Method, Path string
	operation
}

// ID is the fragment by which a route is linked to.
func (r route) ID() string { return slug(r.OperationID) }

// Open says that anybody may ask.
func (r route) Open() bool { return r.Security != nil && len(*r.Security) == 0 }

// Refusals are the statuses that all routes have in common.
func (r route) Refusals() (statuses []string) {
	for _, o := range r.Responses {
		if o.Value.Ref != "" {
			statuses = append(statuses, o.Name)
		}
	}
	return statuses
}

func (d description) chapters() []chapter {
	var list []chapter
	for _, tag := range d.Tags {
		c := chapter{Name: tag.Name, Description: tag.Description}
		for _, p := range d.Paths {
			for _, o := range p.Value.operations() {
				if len(o.Tags) > 0 && o.Tags[0] == tag.Name {
					o.Path = p.Name
					o.Parameters = append(p.Value.Parameters[:len(p.Value.Parameters):len(p.Value.Parameters)], o.Parameters...)
					c.Routes = append(c.Routes, o)
				}
			}
		}
		list = append(list, c)
	}
	return list
}

var (
	quoted  = regexp.MustCompile("`([^`]+)`")
	strange = regexp.MustCompile(`[^A-Za-z0-9-]+`)
)

// prose turns the little Markdown that descriptions have into HTML.
func prose(text string) template.HTML {
	var b strings.Builder
	for part := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		if part != "" {
			b.WriteString("<p>" + quoted.ReplaceAllString(template.HTMLEscapeString(part), "<code>$1</code>") + "</p>")
		}
	}
	return template.HTML(b.String()) //nolint:gosec // escaped above
}

// slug makes a fragment of a name.
func slug(name string) string { return strings.Trim(strange.ReplaceAllString(name, "-"), "-") }
