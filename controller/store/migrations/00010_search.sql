-- What people search old faxes by, and what charts count.

-- +goose Up
CREATE INDEX jobs_cause ON jobs (cause, id) WHERE cause <> '';
CREATE INDEX attempts_ended ON attempts (ended_at) WHERE ended_at IS NOT NULL;
