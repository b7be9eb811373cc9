-- Both databases run this text. Times are microseconds since 1970 (UTC).

-- +goose Up
CREATE TABLE jobs (
    id                 TEXT    NOT NULL PRIMARY KEY,
    to_number          TEXT    NOT NULL,
    owner              TEXT    NOT NULL,
    state              TEXT    NOT NULL CHECK (state IN
        ('received', 'queued', 'dialing', 'sending', 'retry', 'held', 'done', 'failed', 'cancelled')),
    cause              TEXT    NOT NULL,
    error              TEXT    NOT NULL,
    documents          INTEGER NOT NULL,
    pages              INTEGER NOT NULL,
    confirmed          INTEGER NOT NULL,
    options            TEXT    NOT NULL, -- JSON
    priority           INTEGER NOT NULL CHECK (priority BETWEEN 0 AND 255),
    max_attempts       INTEGER NOT NULL,
    dials              INTEGER NOT NULL,
    tries              INTEGER NOT NULL,
    due_at             BIGINT  NOT NULL,
    deadline           BIGINT  NOT NULL,
    cancel_asked       BOOLEAN NOT NULL,
    created_at         BIGINT  NOT NULL,
    updated_at         BIGINT  NOT NULL,
    idempotency_key    TEXT    NOT NULL,
    idempotency_digest TEXT    NOT NULL,
    purged_at          BIGINT,
    -- No fax is delivered before the far end has confirmed every page.
    CHECK (state <> 'done' OR (pages > 0 AND confirmed >= pages))
);

CREATE UNIQUE INDEX jobs_idempotency ON jobs (owner, idempotency_key) WHERE idempotency_key <> '';
CREATE INDEX jobs_owner ON jobs (owner, id);

-- Finished jobs are in none of these, so their number costs the daemon nothing.
CREATE INDEX jobs_open     ON jobs (state) WHERE state NOT IN ('done', 'failed', 'cancelled');
CREATE INDEX jobs_received ON jobs (priority DESC, id) WHERE state = 'received';
CREATE INDEX jobs_claim    ON jobs (priority DESC, due_at, id) WHERE state IN ('queued', 'retry');
CREATE INDEX jobs_due      ON jobs (due_at) WHERE state IN ('queued', 'retry');
CREATE INDEX jobs_deadline ON jobs (deadline) WHERE state IN ('queued', 'retry');
CREATE INDEX jobs_unpurged ON jobs (updated_at) WHERE state IN ('done', 'failed', 'cancelled') AND purged_at IS NULL;

CREATE TABLE attempts (
    id             TEXT    NOT NULL PRIMARY KEY,
    job_id         TEXT    NOT NULL REFERENCES jobs (id),
    ordinal        INTEGER NOT NULL,
    to_number      TEXT    NOT NULL,
    state          TEXT    NOT NULL CHECK (state IN
        ('created', 'dialing', 'answered', 'faxing', 'lost', 'ended')),
    gateway        TEXT    NOT NULL,
    host           TEXT    NOT NULL,
    switch         TEXT    NOT NULL,
    token          TEXT    NOT NULL,
    parameters     TEXT    NOT NULL, -- JSON
    cause          TEXT    NOT NULL,
    code           BIGINT  NOT NULL,
    text           TEXT    NOT NULL,
    hangup_cause   TEXT    NOT NULL,
    pages          BIGINT  NOT NULL,
    total_pages    BIGINT  NOT NULL,
    rate           BIGINT  NOT NULL,
    ecm            BOOLEAN NOT NULL,
    t38            BOOLEAN NOT NULL,
    remote_station TEXT    NOT NULL,
    lease_until    BIGINT  NOT NULL,
    created_at     BIGINT  NOT NULL,
    answered_at    BIGINT,
    ended_at       BIGINT,
    UNIQUE (job_id, ordinal),
    CHECK ((state = 'ended') = (ended_at IS NOT NULL))
);

-- The fence: never two calls for one job, never two calls to one number.
CREATE UNIQUE INDEX attempts_live_job    ON attempts (job_id) WHERE state <> 'ended';
CREATE UNIQUE INDEX attempts_live_number ON attempts (to_number) WHERE state <> 'ended';

CREATE TABLE hosts (
    name    TEXT   NOT NULL PRIMARY KEY,
    seen_at BIGINT NOT NULL
);
