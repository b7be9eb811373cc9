package main

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
)

// buildVersion is set by the linker (see the Makefile).
var buildVersion string

// version names this build: what the Makefile said, else what go install knows.
func version() string {
	info, _ := debug.ReadBuildInfo()
	if info == nil || info.Main.Version == "(devel)" {
		return cmp.Or(buildVersion, "devel")
	}
	return cmp.Or(buildVersion, info.Main.Version, "devel")
}

type versionCommand struct{}

// Run prints the version.
func (versionCommand) Run(s streams) error {
	_, err := fmt.Fprintf(s.out, "faxbot %s (%s, %s/%s)\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}
