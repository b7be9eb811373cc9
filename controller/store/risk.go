package store

import "context"

// risk says what a database that works does not promise; "" when it keeps all
// that it confirms, also when its machine is lost and its standby takes over. Who
// follows a server every user may see, though not how (pg_stat_replication).
func risk(ctx context.Context, db session) (string, error) {
	var is struct {
		Fsync     bool   `db:"fsync"`
		Commit    string `db:"commit"`
		Followers int    `db:"followers"`
		Names     string `db:"names"`
	}
	err := db.GetContext(ctx, &is, `SELECT current_setting('fsync')::boolean AS fsync, current_setting('synchronous_commit') AS commit,
		(SELECT count(*) FROM pg_stat_replication) AS followers, current_setting('synchronous_standby_names') AS names`)
	switch {
	case err != nil:
		return "", err
	case !is.Fsync:
		return "fsync is off: a loss of power may take accepted faxes along, and the memory of calls", nil
	case is.Commit == "off":
		return "synchronous_commit is off: a crash may take accepted faxes along, and the memory of calls", nil
	case is.Followers > 0 && (is.Names == "" || is.Commit == "local"):
		return "a standby follows it, but is not waited for (synchronous_standby_names, synchronous_commit): " +
			"should it take over, what was confirmed last may be gone, and numbers be called again", nil
	}
	return "", nil
}

// Risk says what the database does not promise; "" on SQLite, and where all is
// well.
func (s *Store) Risk(ctx context.Context) (text string, err error) {
	if s.herald == nil {
		return "", nil
	}
	err = s.ask(ctx, func(ctx context.Context) error {
		text, err = risk(ctx, s.read)
		return err
	})
	return text, err
}
