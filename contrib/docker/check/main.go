// Command check reads a Dockerfile and a compose file as BuildKit and Compose
// do, and prints the project as JSON. It is a module of its own, so that their
// libraries are no part of Faxbot.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

func main() {
	if err := check(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func check(dockerfile, compose string) error {
	file, err := os.Open(dockerfile)
	if err != nil {
		return err
	}
	defer file.Close()
	parsed, err := parser.Parse(file)
	if err != nil {
		return err
	}
	var complaint error
	lint := linter.New(&linter.Config{Warn: func(rule, description, _, message string, _ []parser.Range) {
		complaint = fmt.Errorf("%s: %s: %s", rule, description, message)
	}})
	if _, _, err := instructions.Parse(parsed.AST, lint); err != nil {
		return err
	}
	if complaint != nil || len(parsed.Warnings) > 0 {
		return fmt.Errorf("%s: %w %v", dockerfile, complaint, parsed.Warnings)
	}
	options, err := cli.NewProjectOptions([]string{compose}, cli.WithOsEnv, cli.WithResolvedPaths(true))
	if err != nil {
		return err
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		return err
	}
	text, err := project.MarshalJSON()
	if err != nil {
		return err
	}
	_, err = fmt.Println(string(text))
	return err
}
