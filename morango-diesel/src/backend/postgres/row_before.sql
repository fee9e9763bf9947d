-- What rows are while their records wait.

-- While is_dirty is not 0: what the row says, as long as nobody changes it, which is what the record said before. NULL: there is no row.
-- An empty text: it is not known, as of all that waited when this column came.
ALTER TABLE morango_store ADD COLUMN row_serialized BYTEA;
UPDATE morango_store SET row_serialized = '' WHERE is_dirty <> 0;
