-- What taking a broken-off sync up again needs, and looking after sessions. Every database of ours understands this file.

-- What a client set out to do: the directions that are left, separated by blanks; the filter as it travels, without one all that is
-- allowed; records of a chunk. Null of a session in which we are the server.
ALTER TABLE morango_sync_session ADD COLUMN left_directions TEXT;
ALTER TABLE morango_sync_session ADD COLUMN wanted_filter TEXT;
ALTER TABLE morango_sync_session ADD COLUMN chunk_records BIGINT;
-- Who is at work in it, and until when that holds without another sign of life.
ALTER TABLE morango_sync_session ADD COLUMN holder TEXT;
ALTER TABLE morango_sync_session ADD COLUMN held_until BIGINT;
CREATE INDEX morango_sync_session_open ON morango_sync_session (last_activity_at) WHERE is_active = 1;

-- Bytes of the records that came for this session.
ALTER TABLE morango_transfer_session ADD COLUMN received_bytes BIGINT NOT NULL DEFAULT 0;
CREATE INDEX morango_transfer_session_by_sync ON morango_transfer_session (sync_session);
