package main

import (
	"github.com/alecthomas/kong"
	kongcompletion "github.com/jotaen/kong-completion"
	completion "github.com/posener/complete"

	"faxbot/controller/fax"
)

// completeCommand tells how the shell is told; then the shell asks this program
// itself for every completion, so that they are never out of date.
type completeCommand struct {
	kongcompletion.Completion `embed:""`
}

// complete answers a shell that completes a command line, and ends the program
// then.
func complete(parser *kong.Kong) {
	kongcompletion.Register(parser,
		kongcompletion.WithPredictor("file", completion.PredictFiles("*")),
		kongcompletion.WithPredictor("status", words(fax.Statuses)),
		kongcompletion.WithPredictor("state", words(fax.States)),
		kongcompletion.WithPredictor("scope", completion.PredictSet("fax:send", "fax:read", "inbound:list", "inbound:read", "keys:manage")),
	)
}

func words[T ~string](list []T) completion.Predictor {
	texts := make([]string, len(list))
	for i, w := range list {
		texts[i] = string(w)
	}
	return completion.PredictSet(texts...)
}
