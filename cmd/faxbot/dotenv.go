package main

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

// variable is a line of a settings file.
type variable struct{ name, value string }

// String is the line as systemd and shells read it.
func (v variable) String() string {
	quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "`", "\\`", `$`, `\$`).Replace(v.value)
	return v.name + `="` + quoted + `"`
}

// sortSettings tells which settings of an earlier Faxbot mean the same here. The
// places of its database and documents do not, since ours are our own; the
// database is where to read from, unless somebody has said so.
func sortSettings(text string, from secret) (known, unknown []variable, _ secret, err error) {
	list, err := readDotenv(text)
	if err != nil {
		return nil, nil, "", err
	}
	names, err := environment()
	if err != nil {
		return nil, nil, "", err
	}
	for _, v := range list {
		switch {
		case v.name == "DATABASE_URL":
			if from == "" {
				from = secret(v.value)
			}
			unknown = append(unknown, v)
		case v.name == "FAX_DATA_DIR" || !names[v.name]:
			unknown = append(unknown, v)
		case v.value != "":
			known = append(known, v)
		}
	}
	return known, unknown, from, nil
}

// environment are the names of all settings of serve.
func environment() (map[string]bool, error) {
	parser, err := kong.New(new(settings))
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, flag := range parser.Model.Flags {
		for _, name := range flag.Envs {
			names[name] = true
		}
	}
	return names, nil
}

// readDotenv reads NAME=VALUE lines as python-dotenv and docker compose do:
// comments, an "export" before the name, and quotes around the value.
func readDotenv(text string) ([]variable, error) {
	var list []variable
	for n, line := range strings.Split(text, "\n") {
		line = strings.TrimPrefix(strings.TrimSpace(strings.TrimPrefix(line, "\ufeff")), "export ")
		if line == "" || line[0] == '#' {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if !ok || strings.ContainsAny(name, " \t\"'") {
			return nil, fmt.Errorf("line %d is not NAME=VALUE", n+1)
		}
		if value != "" && (value[0] == '"' || value[0] == '\'') {
			end := strings.LastIndexByte(value, value[0])
			if end == 0 {
				return nil, fmt.Errorf("line %d: the quote is not closed", n+1)
			}
			quote := value[0]
			if value = value[1:end]; quote == '"' {
				value = strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(value)
			}
		} else if before, _, comment := strings.Cut(value, " #"); comment || strings.HasPrefix(value, "#") {
			value = strings.TrimSpace(before)
			if strings.HasPrefix(value, "#") {
				value = ""
			}
		}
		list = append(list, variable{name, value})
	}
	return list, nil
}
