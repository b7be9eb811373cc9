-- Faxes that ended long ago can be erased, a few at a time.

-- +goose Up
CREATE INDEX jobs_ended ON jobs (updated_at) WHERE purged_at IS NOT NULL;
CREATE INDEX tags_job ON tags (job_id); -- or each erased fax would look through all tags
