package main

import (
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	_ "modernc.org/sqlite"
)

// faxesKept is how many have ended before somebody looks.
const faxesKept = 1_000_000

// How soon the console shows something, in a real browser, with a million faxes
// in SQLite: the first paint, and the page's own data.
func BenchmarkConsole(b *testing.B) {
	chromium, err := exec.LookPath("chromium")
	if err == nil {
		_, err = os.Stat("testdata/console/node_modules/playwright-core/package.json")
	}
	if err != nil {
		b.Skipf("no browser to look with: %v; run .ci/deps test", err)
	}
	h := build(b, "200")
	h.end()
	fill(b, filepath.Join(h.dir, "faxbot.db"))
	h.open()
	for b.Loop() {
		cmd := exec.CommandContext(b.Context(), "node", "million.mjs", h.rest, h.key)
		cmd.Dir = "testdata/console"
		cmd.Env = append(os.Environ(), "CHROMIUM="+chromium, "NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1")
		said, err := cmd.CombinedOutput()
		if err != nil {
			b.Fatalf("%v\n%s", err, said)
		}
		for line := range strings.Lines(string(said)) {
			var page, first, data string
			if _, err := fmt.Sscan(line, &page, &first, &data); err != nil {
				b.Fatalf("%q: %v", line, err)
			}
			fmt.Printf("FIGURE console_%s %s ms to the first content, %s ms to its data, with %d faxes (100 ms wanted)\n", page, first, data, faxesKept)
		}
	}
}

// fill makes faxes that have ended over a year, one in ten of them failed.
func fill(b *testing.B, file string) {
	b.Helper()
	db, err := sql.Open("sqlite", file)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	for _, statement := range []string{
		`CREATE TEMP TABLE n AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ` + fmt.Sprint(faxesKept) + `)
			SELECT i, (unixepoch() - 31536000) * 1000 + i * 31536 AS ms FROM n`,
		`INSERT INTO jobs (id, to_number, owner, state, cause, error, documents, pages, confirmed, options, priority, max_attempts, dials, tries,
				due_at, deadline, cancel_asked, created_at, updated_at, idempotency_key, idempotency_digest)
			SELECT printf('%012x7000800000%010x', ms, i), printf('+1555%07d', i % 1000003), '', iif(i % 10, 'done', 'failed'), iif(i % 10, 'ok', 'bad_number'),
				iif(i % 10, '', 'The number does not exist or may not be called.'), 1, 3, iif(i % 10, 3, 0), '{}', 127, 0, 1, 1,
				ms * 1000, ms * 1000 + 10800000000, 0, ms * 1000, ms * 1000 + 60000000, '', '' FROM n`,
		`INSERT INTO attempts (id, job_id, ordinal, to_number, state, gateway, host, switch, token, parameters, cause, code, text, hangup_cause, pages,
				total_pages, rate, ecm, t38, remote_station, lease_until, created_at, answered_at, ended_at)
			SELECT printf('%012x-%d', ms, i), printf('%012x7000800000%010x', ms, i), 1, printf('+1555%07d', i % 1000003), 'ended', 'gw', 'h', '', '', '{}',
				iif(i % 10, 'ok', 'bad_number'), 0, '', '', iif(i % 10, 3, 0), 3, 14400, 1, 1, '', 0, ms * 1000, ms * 1000 + 5000000, ms * 1000 + 60000000 FROM n`,
		`ANALYZE`,
	} {
		if _, err := db.Exec(statement); err != nil {
			b.Fatal(err)
		}
	}
}
