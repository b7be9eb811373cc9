-- What is known of a fax's pages, how its submitter finds it, and whether its
-- documents go when it has been delivered.

-- +goose Up
ALTER TABLE jobs ADD COLUMN facts TEXT NOT NULL DEFAULT '{}'; -- JSON
ALTER TABLE jobs ADD COLUMN purge_on_success BOOLEAN NOT NULL DEFAULT FALSE;

CREATE INDEX jobs_spent  ON jobs (id) WHERE state = 'done' AND purged_at IS NULL AND purge_on_success;
CREATE INDEX jobs_purged ON jobs (purged_at) WHERE purged_at IS NOT NULL;

CREATE TABLE tags (
    tag    TEXT NOT NULL,
    job_id TEXT NOT NULL REFERENCES jobs (id),
    PRIMARY KEY (tag, job_id)
);
