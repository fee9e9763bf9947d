-- Up to which counter others may know an instance, so that who knows more of it shows that there is another database of the same
-- instance. What was counted before this was noted, others may know. Every database of ours understands this file.
ALTER TABLE morango_instance ADD COLUMN told_counter BIGINT NOT NULL DEFAULT 0;
UPDATE morango_instance SET told_counter = counter;

-- The closed sessions that were used longest ago, which are forgotten in the end.
CREATE INDEX morango_sync_session_closed ON morango_sync_session (last_activity_at) WHERE is_active = 0;
