package fax

import (
	"errors"
	"fmt"
)

// Problem is the kind of a refusal, for the one table that turns refusals into
// HTTP statuses, and for programs that read the machine field "code".
type Problem string

// Every Problem there is.
const (
	Invalid      Problem = "invalid"          // the request contradicts itself or the contract
	BadNumber    Problem = "bad_number"       // not a number that can be dialled
	BadDocument  Problem = "bad_document"     // the type is known, the content cannot be faxed
	Unsupported  Problem = "unsupported_type" // no converter for this kind of document
	TooLarge     Problem = "too_large"        // over a size or page limit
	NotFound     Problem = "not_found"
	Conflict     Problem = "conflict"     // contradicts what is already so
	Unauthorized Problem = "unauthorized" // nobody known
	Forbidden    Problem = "forbidden"    // known, but not allowed
	RateLimited  Problem = "rate_limited"
	Unavailable  Problem = "unavailable" // later, or elsewhere
	Internal     Problem = "internal"
)

// Error is a refusal that may be shown to whoever caused it: Detail says what
// happened and what to do, and never holds a secret, a path or another
// person's number.
type Error struct {
	Problem Problem
	Detail  string
	Cause   error // for the log; may be nil
}

// Errorf makes an Error; a %w operand becomes its Cause.
func Errorf(p Problem, format string, args ...any) *Error {
	wrapped := fmt.Errorf(format, args...)
	return &Error{Problem: p, Detail: wrapped.Error(), Cause: errors.Unwrap(wrapped)}
}

func (e *Error) Error() string { return e.Detail }

// Unwrap returns the error behind the refusal.
func (e *Error) Unwrap() error { return e.Cause }

// ProblemOf finds the Problem in err's chain; Internal when there is none.
func ProblemOf(err error) Problem {
	var e *Error
	if errors.As(err, &e) {
		return e.Problem
	}
	return Internal
}
