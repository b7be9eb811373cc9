package docs

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// description is what the page shows of an OpenAPI document.
type description struct {
	Info       struct{ Title, Version, Description string }
	Tags       []struct{ Name, Description string }
	Paths      ordered[pathItem]
	Components struct {
		Parameters map[string]parameter
		Schemas    ordered[*schema]
	}
}

// ordered is a mapping in the order in which it is written.
type ordered[T any] []struct {
	Name  string
	Value T
}

// UnmarshalYAML reads a mapping.
func (o *ordered[T]) UnmarshalYAML(node *yaml.Node) error {
	*o = make(ordered[T], len(node.Content)/2)
	for i := range *o {
		(*o)[i].Name = node.Content[2*i].Value
		if err := node.Content[2*i+1].Decode(&(*o)[i].Value); err != nil {
			return err
		}
	}
	return nil
}

type pathItem struct {
	Parameters                    []parameter
	Post, Get, Put, Patch, Delete *operation
}

func (p pathItem) operations() []route {
	var list []route
	for _, o := range []struct {
		method string
		*operation
	}{{"POST", p.Post}, {"GET", p.Get}, {"PUT", p.Put}, {"PATCH", p.Patch}, {"DELETE", p.Delete}} {
		if o.operation != nil {
			list = append(list, route{Method: o.method, operation: *o.operation})
		}
	}
	return list
}

type operation struct {
	Tags                 []string
	OperationID          string `yaml:"operationId"`
	Summary, Description string
	Security             *[]any
	Parameters           []parameter
	RequestBody          *struct{ Content ordered[media] } `yaml:"requestBody"`
	Responses            ordered[response]
}

type parameter struct {
	Ref                   string `yaml:"$ref"`
	Name, In, Description string
	Required              bool
	Schema                *schema
}

type media struct{ Schema *schema }

type response struct {
	Ref         string `yaml:"$ref"`
	Description string
	Headers     ordered[header]
	Content     ordered[media]
}

type header struct {
	Description string
	Schema      *schema
}

type schema struct {
	Ref         string `yaml:"$ref"`
	Type        string
	Format      string
	Pattern     string
	Description string
	Nullable    bool
	Enum        []any
	Default     any
	Minimum     any
	Maximum     any
	MinLength   any `yaml:"minLength"`
	MaxLength   any `yaml:"maxLength"`
	MinItems    any `yaml:"minItems"`
	MaxItems    any `yaml:"maxItems"`
	Required    []string
	Properties  ordered[*schema]
	Items       *schema
	AllOf       []*schema `yaml:"allOf"`
	OneOf       []*schema `yaml:"oneOf"`
}

// follow looks a parameter up that is described once for all.
func (d description) follow(p parameter) parameter {
	if p.Ref != "" {
		return d.Components.Parameters[p.Ref[strings.LastIndex(p.Ref, "/")+1:]]
	}
	return p
}

// Link is the name of a schema that is described on its own, also of the one
// in a list; "" if there is none.
func (s *schema) Link() string {
	switch {
	case s.Ref != "":
		return s.Ref[strings.LastIndex(s.Ref, "/")+1:]
	case s.Items != nil:
		return s.Items.Link()
	case len(s.AllOf) == 1:
		return s.AllOf[0].Link()
	}
	return ""
}

// Kind is the type in words; a link follows it if there is one.
func (s *schema) Kind() string {
	switch {
	case s.Ref != "" || s.Items == nil && s.Link() != "":
		return ""
	case s.Items != nil && s.Items.Link() != "":
		return "list of"
	case s.Items != nil:
		return "list of " + s.Items.Kind() + "s"
	case s.Format == "binary":
		return "file"
	case s.Format != "":
		return s.Format
	}
	return s.Type
}

// Words are the values there are, if they are few.
func (s *schema) Words() []string {
	var words []string
	for _, w := range s.Enum {
		if w != nil {
			words = append(words, fmt.Sprint(w))
		}
	}
	return words
}

// Rules are the limits of a value.
func (s *schema) Rules() string {
	var rules []string
	between := func(what string, low, high any) {
		switch {
		case low != nil && high != nil:
			rules = append(rules, fmt.Sprintf("%v to %v%s", low, high, what))
		case low != nil:
			rules = append(rules, fmt.Sprintf("at least %v%s", low, what))
		case high != nil:
			rules = append(rules, fmt.Sprintf("at most %v%s", high, what))
		}
	}
	between("", s.Minimum, s.Maximum)
	between(" characters", s.MinLength, s.MaxLength)
	between(" of them", s.MinItems, s.MaxItems)
	if s.Default != nil {
		rules = append(rules, fmt.Sprintf("%v if absent", s.Default))
	}
	return strings.Join(rules, "; ")
}

// Shape is the object whose fields are worth a table: this, or the one that it
// is a list of. It is nil for a reference, which has a table of its own.
func (s *schema) Shape() *schema {
	switch {
	case s == nil || s.Ref != "":
		return nil
	case len(s.Properties) > 0:
		return s
	case s.Items != nil:
		return s.Items.Shape()
	}
	for _, part := range append(s.AllOf[:len(s.AllOf):len(s.AllOf)], s.OneOf...) {
		if shape := part.Shape(); shape != nil {
			return shape
		}
	}
	return nil
}

// Bases are the schemas whose fields this one has, too.
func (s *schema) Bases() []string {
	var names []string
	for _, part := range append(s.AllOf[:len(s.AllOf):len(s.AllOf)], s.OneOf...) {
		if name := part.Link(); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// Must says whether a field has to be there.
func (s *schema) Must(name string) bool {
	for _, r := range s.Required {
		if r == name {
			return true
		}
	}
	return false
}
