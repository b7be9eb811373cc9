-- An existing Faxbot database has this table, with keys that people use: it is
-- kept as it is, and ours has the same columns. Its times are UTC without a
-- zone, its scopes have commas between them.

-- +goose Up
CREATE TABLE IF NOT EXISTS api_keys (
    id           VARCHAR(40)  NOT NULL PRIMARY KEY,
    key_id       VARCHAR(32)  NOT NULL UNIQUE,
    name         VARCHAR(100),
    owner        VARCHAR(100),
    key_hash     VARCHAR(200) NOT NULL,
    scopes       TEXT,
    created_at   TIMESTAMP    NOT NULL,
    last_used_at TIMESTAMP,
    expires_at   TIMESTAMP,
    revoked_at   TIMESTAMP,
    note         TEXT
);
