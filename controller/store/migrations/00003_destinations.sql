-- What calls to a number have taught.

-- +goose Up
CREATE TABLE IF NOT EXISTS destinations (
    to_number  TEXT   NOT NULL PRIMARY KEY,
    memory     TEXT   NOT NULL, -- JSON
    rest_until BIGINT,          -- no call before
    updated_at BIGINT NOT NULL
);

CREATE INDEX IF NOT EXISTS destinations_updated ON destinations (updated_at);
