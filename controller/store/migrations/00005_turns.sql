-- Each owner's waiting faxes in the order of their turn: half a minute of
-- waiting is worth one step of priority.

-- +goose Up
DROP INDEX IF EXISTS jobs_claim;
CREATE INDEX jobs_claim ON jobs (owner, (due_at - CAST(priority AS BIGINT) * 30000000), id) WHERE state IN ('queued', 'retry');
