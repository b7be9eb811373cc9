-- What others are still to be told, written together with what it tells.

-- +goose Up
CREATE TABLE outbox (
    id      TEXT    NOT NULL PRIMARY KEY,
    job_id  TEXT    NOT NULL,
    url     TEXT    NOT NULL,
    ordinal INTEGER NOT NULL, -- one after another for each fax and URL
    event   TEXT    NOT NULL,
    page    INTEGER NOT NULL,
    job     TEXT    NOT NULL, -- JSON, as it was then
    made_at BIGINT  NOT NULL,
    due_at  BIGINT  NOT NULL,
    tries   INTEGER NOT NULL,
    error   TEXT    NOT NULL,
    dead_at BIGINT,           -- given up, kept for a replay
    UNIQUE (job_id, url, ordinal)
);

CREATE INDEX outbox_due  ON outbox (due_at) WHERE dead_at IS NULL;
CREATE INDEX outbox_dead ON outbox (dead_at) WHERE dead_at IS NOT NULL;
