package fax

import "context"

// Actor is whoever has something done, for the audit log. The zero value is the
// daemon itself.
type Actor struct {
	Key     string // id of the API key, or "bootstrap"
	Address string // that he comes from
}

type actorKey struct{}

// As returns a context in which the actor is the one who acts.
func As(ctx context.Context, who Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, who)
}

// ActorOf is who acts in a context.
func ActorOf(ctx context.Context) Actor {
	who, _ := ctx.Value(actorKey{}).(Actor)
	return who
}
