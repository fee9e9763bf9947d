-- What waits in the store to become a row. Every database of ours understands this file.

-- Since when a record waits: when it first failed, in milliseconds since 1970. It stays until the record is settled.
-- From this version on, is_dirty is 0: nothing waits; 1: it waits to become a row, or to have its row deleted; 2: somebody
-- dropped it, so that it is passed on as it is and no row is made of it until it changes.
ALTER TABLE morango_store ADD COLUMN waiting_since BIGINT;
-- What was dropped.
CREATE INDEX morango_store_dropped ON morango_store (profile, model_name, is_deleted, sequence) WHERE is_dirty = 2;
