-- What rows are while their records wait.

-- While is_dirty is not 0: what the row says, as long as nobody changes it, which is what the record said before. An empty text: there is
-- no row. NULL: it is not known, as of what waited when this column came, and of what programs that do not know the column write. Such
-- a program can settle no record of which more is known than it knows itself: what it left behind would be false the next time.
ALTER TABLE morango_store ADD COLUMN row_serialized TEXT CHECK (is_dirty <> 0 OR row_serialized IS NULL);
