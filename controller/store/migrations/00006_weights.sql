-- Keys with a weight get more turns; machines tell who made them.

-- +goose Up
ALTER TABLE api_keys ADD COLUMN weight INTEGER NOT NULL DEFAULT 1;
ALTER TABLE attempts ADD COLUMN remote_machine TEXT NOT NULL DEFAULT '';
