// Package store keeps jobs and attempts in SQLite or PostgreSQL. It imports
// nothing of ours but the vocabulary (package fax).
//
// # What a returned call means
//
// A writing method that returned nil is durable: it survives kill -9 and loss
// of power. One that returned an error changed nothing, with one exception: a
// fax.Unavailable that comes while the database was committing (a broken disk
// or connection) leaves it open (ErrInDoubt), so repeat the call. All of them can be
// repeated: the state machine refuses, or reports as already done, what has
// been done before.
//
// A context ends the waiting only. Once a write has begun it runs to its end
// and its true result is returned, even if the context has been cancelled
// meanwhile, so context.Canceled always means that nothing was written.
//
// # Two databases, one set of queries
//
// Queries are written once, in SQL that both understand, with `?` in place of
// values and times as microseconds since 1970 (UTC). What differs stands in
// dialect.go.
//
// SQLite allows one writer and needs one fsync for each commit, so group.go
// gathers the writes of all goroutines into one transaction. PostgreSQL does
// the like by itself: pool.go gives every write its own transaction there.
//
// # Many hosts
//
// Hosts meet in the database and nowhere else. Claims take turns under an
// advisory lock, because each must see the calls that the one before it placed;
// rows that somebody else holds are skipped. All times are those of the
// database's clock (clock.go). What a host has committed it tells the others with
// NOTIFY (news.go): ids and states, many in one message. That saves waiting,
// and no more: whoever hears nothing finds the same by looking.
//
// # Two versions at once
//
// Hosts are upgraded one after the other, so tables serve the version before,
// too. A migration expands: it adds tables, indices, and columns with a default.
// It renames nothing, takes nothing away, and narrows no CHECK that the version
// before could fail. What nobody uses any more is taken away (contracted) by the
// version after that. Therefore queries name their columns, and a word that an
// older version would not know is not written before every host knows it.
//
// # What the database itself refuses
//
// Every writing method reads the row under a lock and asks package fax whether
// it may move. Behind that stand constraints which no bug can pass: a CHECK of
// the state words, of pages before "done", and unique indices which allow one
// attempt that has not ended for each job, and one for each number.
package store
