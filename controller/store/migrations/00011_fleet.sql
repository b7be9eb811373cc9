-- Several switches, and several hosts that serve them.

-- +goose Up
-- The switch that was told to dial, by the name that the operator gave it; the
-- column switch is its process.
ALTER TABLE attempts ADD COLUMN switch_name TEXT NOT NULL DEFAULT 'freeswitch';

-- What a host tells of itself: JSON, '' for one that has told nothing.
ALTER TABLE hosts ADD COLUMN about TEXT NOT NULL DEFAULT '';

-- Gateways and switches that rest, for all hosts.
CREATE TABLE breakers (
    kind          TEXT    NOT NULL CHECK (kind IN ('gateway', 'switch')),
    name          TEXT    NOT NULL,
    rest_until    BIGINT,           -- NULL while it works
    rests         INTEGER NOT NULL, -- in a row
    misconfigured BOOLEAN NOT NULL,
    changed_at    BIGINT  NOT NULL,
    PRIMARY KEY (kind, name)
);
