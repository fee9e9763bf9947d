-- What triggers note of changes, so that a change costs the application little. Only SQLite needs it: elsewhere triggers see all
-- rows of a statement at once.

-- Changes that are not marks yet, in the order in which they were made: a trigger appends, and whoever is about to read marks folds
-- them first. A number is greater than those of all changes that are still there. The id is as the row has it.
-- is_gone: whether the row went. mode: that of capture when it changed.
CREATE TABLE morango_change (
    number INTEGER NOT NULL PRIMARY KEY,
    model INTEGER NOT NULL,
    row_id NOT NULL,
    is_gone INTEGER NOT NULL,
    mode INTEGER NOT NULL
);

-- One row: whether triggers note changes. 0: off, the engine writes; 1: on; 2: on, and deletions are hard ones; 3: changes are traced.
-- It is changed only inside a transaction that changes it back, so no other connection ever sees another value than 1.
-- It stands under another name than before: a program of an earlier version that is still running knows nothing of changes that
-- are not marks yet, and would write over such rows. It finds its switch gone and is refused instead.
DROP TABLE morango_capture;
CREATE TABLE morango_capture_mode (
    one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    mode INTEGER NOT NULL
);
INSERT INTO morango_capture_mode (one, mode) VALUES (1, 1);
