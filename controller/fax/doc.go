// Package fax is the vocabulary of Faxbot: jobs, attempts, numbers, states,
// results and causes. It has no I/O and imports nothing of ours, so every
// other package can speak it.
//
// A Job is what somebody asked for: these pages, to that number. An Attempt is
// one call placed for a job. A Result is what one call came to, and its Cause
// is the closed vocabulary in which the code, the REST interface, the metrics
// and the operator talk about it.
package fax
