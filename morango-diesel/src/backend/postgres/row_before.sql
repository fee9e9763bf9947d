-- What rows are while their records wait, and what records were merged with before all of it had come.

-- While is_dirty is not 0: what the row says, as long as nobody changes it, which is what the record said before. An empty text: there is
-- no row. NULL: it is not known, as of what waited when this column came, and of what programs that do not know the column write. Such
-- a program can settle no record of which more is known than it knows itself: what it left behind would be false the next time.
ALTER TABLE morango_store ADD COLUMN row_serialized BYTEA CHECK (is_dirty <> 0 OR row_serialized IS NULL);

-- What a record was merged with, by its place in the store: who saved that, and at which count. The record is saved by this instance then,
-- and is a part of what that one knew as long as the database max counters do not reach it.
CREATE TABLE morango_merged (
    sequence BIGINT NOT NULL,
    instance UUID NOT NULL,
    counter BIGINT NOT NULL,
    PRIMARY KEY (sequence, instance)
);
