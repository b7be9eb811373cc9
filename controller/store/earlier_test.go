package store

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jmoiron/sqlx"

	"faxbot/controller/fax"
)

// earlierTables are as SQLAlchemy makes them from the original Faxbot's models;
// DATETIME is TIMESTAMP in PostgreSQL.
var earlierTables = []string{
	`CREATE TABLE fax_jobs (
		id VARCHAR(40) NOT NULL, to_number VARCHAR(64) NOT NULL, file_name VARCHAR(255) NOT NULL, tiff_path VARCHAR(512) NOT NULL,
		status VARCHAR(32) NOT NULL, error TEXT, pages INTEGER, backend VARCHAR(20) NOT NULL, outbound_backend VARCHAR(20),
		provider_sid VARCHAR(100), pdf_url VARCHAR(512), pdf_token VARCHAR(128), pdf_token_expires_at DATETIME,
		created_at DATETIME NOT NULL, updated_at DATETIME NOT NULL, PRIMARY KEY (id))`,
	`CREATE INDEX ix_fax_jobs_id ON fax_jobs (id)`,
	`CREATE INDEX ix_fax_jobs_status ON fax_jobs (status)`,
	`CREATE TABLE api_keys (
		id VARCHAR(40) NOT NULL, key_id VARCHAR(32) NOT NULL, key_hash VARCHAR(200) NOT NULL, name VARCHAR(100), owner VARCHAR(100),
		scopes VARCHAR(200), created_at DATETIME NOT NULL, last_used_at DATETIME, expires_at DATETIME, revoked_at DATETIME, note TEXT,
		PRIMARY KEY (id))`,
	`CREATE UNIQUE INDEX ix_api_keys_key_id ON api_keys (key_id)`,
	`INSERT INTO fax_jobs (id, to_number, file_name, tiff_path, status, error, pages, backend, created_at, updated_at) VALUES
		('f0000000000000000000000000000001', '+15551230001', 'a.pdf', '/faxdata/a.tiff', 'SUCCESS', NULL, 3, 'freeswitch', '2025-09-01 10:00:00.000000', '2025-09-01 10:02:00.500000'),
		('10000000000000000000000000000002', '15551230002', 'b.pdf', '', 'SUCCESS', NULL, NULL, 'phaxio', '2025-09-02 10:00:00.000000', '2025-09-02 10:02:00.000000'),
		('e0000000000000000000000000000003', '+15551230003', 'c.pdf', '/faxdata/c.tiff', 'FAILED', 'USER_BUSY', 1, 'freeswitch', '2025-09-03 10:00:00.000000', '2025-09-03 10:02:00.000000'),
		('20000000000000000000000000000004', '+15551230004', 'd.pdf', '/faxdata/d.tiff', 'FAILED', NULL, 1, 'freeswitch', '2025-09-04 10:00:00.000000', '2025-09-04 10:02:00.000000'),
		('d0000000000000000000000000000005', '+15551230005', 'e.pdf', '/faxdata/e.tiff', 'queued', NULL, 2, 'freeswitch', '2025-09-05 10:00:00.000000', '2025-09-05 10:02:00.000000'),
		('30000000000000000000000000000006', '+15551230006', 'f.pdf', '/faxdata/f.tiff', 'in_progress', NULL, 2, 'freeswitch', '2025-09-06 10:00:00.000000', '2025-09-06 10:02:00.000000'),
		('c0000000000000000000000000000007', 'not a number', 'g.pdf', '/faxdata/g.tiff', 'disabled', NULL, 2, 'disabled', '2025-09-07 10:00:00.000000', '2025-09-07 10:02:00.000000')`,
	`INSERT INTO api_keys (id, key_id, key_hash, name, scopes, created_at, revoked_at) VALUES
		('k1', 'abcabcabcabc', 'scrypt$c2FsdA$a2V5$n=16384$r=8$p=1', 'Ward 3', 'fax:send,fax:read', '2025-08-01 10:00:00.000000', NULL),
		('k2', 'defdefdefdef', 'pbkdf2$c2FsdA$a2V5$rounds=100000', NULL, NULL, '2025-08-02 10:00:00.000000', '2025-08-03 10:00:00.000000')`,
}

// earlierDatabase fills an empty database as an original Faxbot left it.
func earlierDatabase(t *testing.T, db database) {
	t.Helper()
	driver, name, datetime := "postgres", db.url, "TIMESTAMP"
	if file, ok := strings.CutPrefix(db.url, "sqlite:///"); ok {
		driver, name, datetime = "sqlite", file, "DATETIME"
	}
	old, err := sqlx.Open(driver, name)
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	for _, query := range earlierTables {
		if _, err := old.Exec(strings.ReplaceAll(query, "DATETIME", datetime)); err != nil {
			t.Fatal(err)
		}
	}
}

// What an earlier Faxbot left is taken over once, stays readable, and is never
// dialled; in the database that it left, too.
func TestImport(t *testing.T) {
	each(t, func(t *testing.T, old database) {
		earlierDatabase(t, old)
		for name, db := range map[string]database{"the same": old, "another": sqliteFile(t)} {
			e := must(ReadEarlier(t.Context(), old.url))(t)
			s := db.open(t, "a")
			jobs, keys, err := s.Import(t.Context(), e)
			wantKeys := 2
			if db == old {
				wantKeys = 0 // they are there already
			}
			if err != nil || jobs != 7 || keys != wantKeys {
				t.Fatalf("%s: %d jobs and %d keys, %v", name, jobs, keys, err)
			}
			if jobs, keys, err := s.Import(t.Context(), e); err != nil || jobs != 0 || keys != 0 {
				t.Errorf("%s, again: %d jobs and %d keys, %v", name, jobs, keys, err)
			}
			type end struct {
				To               fax.Number
				State            fax.State
				Cause            fax.Cause
				Pages, Confirmed int
			}
			var got []end
			for _, j := range must(s.List(t.Context(), Filter{}))(t) {
				got = append(got, end{j.To, j.State, j.Cause, j.Pages, j.Confirmed})
				if id := j.ID.Time(); !id.Equal(j.CreatedAt) {
					t.Errorf("%s: %s has its place at %s, not at %s", name, j.ID, id, j.CreatedAt)
				}
				if j.State == fax.Failed && j.Error == "" {
					t.Errorf("%s: nobody is told why %s failed", name, j.To)
				}
			}
			want := []end{ // the latest first
				{"not a number", fax.Failed, fax.Withdrawn, 2, 0},
				{"+15551230006", fax.Failed, fax.Unknown, 2, 0},
				{"+15551230005", fax.Failed, fax.Unknown, 2, 0},
				{"+15551230004", fax.Failed, "", 1, 0},
				{"+15551230003", fax.Failed, "", 1, 0},
				{"15551230002", fax.Done, fax.OK, 1, 1},
				{"+15551230001", fax.Done, fax.OK, 3, 3},
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
			first := must(s.Find(t.Context(), "f0000000000000000000000000000001"))(t)
			if first.To != "+15551230001" || !first.UpdatedAt.Equal(time.Date(2025, 9, 1, 10, 2, 0, 500e6, time.UTC)) {
				t.Errorf("%s: by its old id: %+v", name, first)
			}
			if looked, _, _, err := s.Look(t.Context(), "f0000000000000000000000000000001"); err != nil || looked.ID != first.ID {
				t.Errorf("%s: looked at by its old id: %+v, %v", name, looked, err)
			}
			_, err = s.Find(t.Context(), "f0000000000000000000000000000009")
			wantProblem(t, err, fax.NotFound)
			for state, n := range must(s.Stats(t.Context()))(t) {
				if n > 0 {
					t.Errorf("%s: %d faxes are %s and might be dialled", name, n, state)
				}
			}
			if key := must(s.Keys().Find(t.Context(), "abcabcabcabc"))(t); !key.Good(time.Now()) || key.Hash != "scrypt$c2FsdA$a2V5$n=16384$r=8$p=1" {
				t.Errorf("%s: the key is %+v", name, key)
			}
			if key := must(s.Keys().Find(t.Context(), "defdefdefdef"))(t); key.Good(time.Now()) {
				t.Errorf("%s: a revoked key is good again", name)
			}
		}
	})
}

func TestImportIsAllOrNothing(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		earlierDatabase(t, db)
		e := must(ReadEarlier(t.Context(), db.url))(t)
		e.Jobs[6].State = "lost in thought" // the last
		s := db.open(t, "a")
		if _, _, err := s.Import(t.Context(), e); err == nil {
			t.Fatal("a state that does not exist was stored")
		}
		if n := must(s.Count(t.Context(), Filter{}))(t); n != 0 {
			t.Errorf("%d faxes were stored of an import that failed", n)
		}
	})
}

func TestReadEarlier(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		if _, err := ReadEarlier(t.Context(), db.url); err == nil {
			t.Error("a database that does not exist, or is empty, was read")
		}
		file, isFile := strings.CutPrefix(db.url, "sqlite:///")
		if _, err := os.Stat(file); isFile && err == nil {
			t.Error("reading made the file")
		}
		earlierDatabase(t, db)
		before, _ := os.ReadFile(file)
		if e := must(ReadEarlier(t.Context(), db.url))(t); len(e.Jobs) != 7 || len(e.Keys) != 2 {
			t.Errorf("%d jobs and %d keys", len(e.Jobs), len(e.Keys))
		}
		if after, _ := os.ReadFile(file); string(after) != string(before) {
			t.Error("reading wrote to the database")
		}
	})
}
