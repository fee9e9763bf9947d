-- Records in which ours gave way, where this instance may not write, by their places in the store and with the stamps that they bear since.
-- A note says nothing any more once its record bears another stamp. Programs that do not know of it note nothing, so that what gives way
-- under them may leave as it is; where they take records off, a note stays that may have a later one in its place saved anew, as it is.
CREATE TABLE morango_gave_way (
    sequence INTEGER NOT NULL PRIMARY KEY,
    last_saved_instance BLOB NOT NULL,
    last_saved_counter INTEGER NOT NULL
);
