-- Tables and indexes that the first step got after it was in use: databases that were made before lack them. Where they are there,
-- nothing happens. Every database of ours understands what is here.

CREATE TABLE IF NOT EXISTS morango_unclaimed (
    partition TEXT NOT NULL,
    instance BLOB NOT NULL,
    counter INTEGER NOT NULL,
    PRIMARY KEY (partition, instance)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS morango_session_memory (
    session BLOB NOT NULL,
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (session, owner, name)
) WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS morango_store_touched ON morango_store (transfer_session, model_name, record_id)
    WHERE transfer_session IS NOT NULL;

CREATE INDEX IF NOT EXISTS morango_store_by_counter ON morango_store (last_saved_instance, last_saved_counter);
