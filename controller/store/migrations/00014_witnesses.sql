-- On whose word the result of a call stands.

-- +goose Up
ALTER TABLE attempts ADD COLUMN witnesses TEXT NOT NULL DEFAULT '{"decided":""}'; -- JSON
