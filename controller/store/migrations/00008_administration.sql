-- What administrators set, whom they have told of faxes, and who did what.

-- +goose Up
CREATE TABLE settings (
    id       INTEGER NOT NULL PRIMARY KEY CHECK (id = 1), -- there is one row
    stored   TEXT    NOT NULL, -- JSON: texts by the names of environment variables
    revision BIGINT  NOT NULL  -- grows with every change, for the other hosts to see
);
INSERT INTO settings (id, stored, revision) VALUES (1, '{}', 0);

CREATE TABLE endpoints (
    id         TEXT    NOT NULL PRIMARY KEY,
    url        TEXT    NOT NULL UNIQUE,
    events     TEXT    NOT NULL, -- JSON; null for all
    enabled    BOOLEAN NOT NULL,
    note       TEXT    NOT NULL,
    secret     TEXT    NOT NULL,
    old_secret TEXT    NOT NULL,
    old_until  BIGINT,           -- the old secret signs, too, until then
    created_at BIGINT  NOT NULL,
    updated_at BIGINT  NOT NULL
);

CREATE TABLE audit (
    id      TEXT   NOT NULL PRIMARY KEY, -- in the order of time
    at      BIGINT NOT NULL,
    event   TEXT   NOT NULL,
    fax_id  TEXT   NOT NULL,
    key_id  TEXT   NOT NULL,
    address TEXT   NOT NULL,
    detail  TEXT   NOT NULL
);
CREATE INDEX audit_event ON audit (event, id);

-- Everything that was sent to a number.
CREATE INDEX jobs_number ON jobs (to_number, owner, id);
