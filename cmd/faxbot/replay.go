package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"faxbot/controller"
)

type replayCommand struct {
	File string `arg:"" placeholder:"FILE" predictor:"file" help:"Recording: each message begins with a line \"<< SECONDS BYTES\" (from the switch) or \">> SECONDS BYTES\" (to it), then exactly that many bytes and a newline; \"--\" begins a remark. faxbot show --recording prints one; - reads standard input."`
}

// Help is shown below the flags.
func (replayCommand) Help() string {
	return "Prints the verdict as one JSON object, or {\"calls\":[...]} when the recording holds several calls.\n" +
		"The status is 0 when the recording could be judged, whatever the verdict."
}

// Run judges the recording by the same rules as a live call.
func (c replayCommand) Run(s streams) error {
	in := s.in
	if c.File != "-" {
		file, err := os.Open(c.File)
		if err != nil {
			return err
		}
		defer file.Close()
		in = file
	}
	calls, err := controller.Replay(in)
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	return printVerdicts(s.out, c.File, calls)
}

func printVerdicts(out io.Writer, name string, calls []controller.Replayed) error {
	line := json.NewEncoder(out)
	line.SetEscapeHTML(false)
	switch len(calls) {
	case 0:
		return errors.New(name + ": the recording knows the end of no call; record until CHANNEL_HANGUP_COMPLETE or BACKGROUND_JOB")
	case 1:
		return line.Encode(calls[0])
	}
	return line.Encode(map[string]any{"calls": calls})
}
