-- The engine's own tables on SQLite. Ids are 16 bytes; times are milliseconds since 1970; a flag is 0 or 1.

-- Single facts: the schema's version is PRAGMA-free, so that another program's user_version stays its own.
CREATE TABLE morango_fact (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

-- Every instance that this database ever was; exactly one is current. It owns the counter.
CREATE TABLE morango_instance (
    id BLOB NOT NULL PRIMARY KEY,
    counter INTEGER NOT NULL,
    is_current INTEGER NOT NULL,
    facts TEXT NOT NULL
) WITHOUT ROWID;

-- One row: whether triggers note changes. 0: off, the engine writes; 1: on; 2: on, and deletions are hard ones.
-- It is changed only inside a transaction that changes it back, so no other connection ever sees another value than 1.
CREATE TABLE morango_capture (
    one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    mode INTEGER NOT NULL
);
INSERT INTO morango_capture (one, mode) VALUES (1, 1);

-- Models by number, so that a mark is small.
CREATE TABLE morango_model (
    number INTEGER NOT NULL PRIMARY KEY,
    profile TEXT NOT NULL,
    name TEXT NOT NULL,
    table_name TEXT NOT NULL,
    UNIQUE (profile, name)
);

-- Rows that changed since they were last serialized, whatever became of them since. The id is as the row has it.
-- source_id, partition: fixed by create, until the record is in the store. reason: why the row was set aside, where it was.
CREATE TABLE morango_mark (
    model INTEGER NOT NULL,
    row_id NOT NULL,
    is_hard INTEGER NOT NULL DEFAULT 0,
    source_id TEXT,
    partition TEXT,
    reason TEXT,
    PRIMARY KEY (model, row_id)
) WITHOUT ROWID;

-- The store: one row a record, whole, its record max counters beside it in compact form.
CREATE TABLE morango_store (
    sequence INTEGER NOT NULL PRIMARY KEY,
    record_id BLOB NOT NULL UNIQUE,
    profile TEXT NOT NULL,
    model_name TEXT NOT NULL,
    partition TEXT NOT NULL,
    source_id TEXT NOT NULL,
    last_saved_instance BLOB NOT NULL,
    last_saved_counter INTEGER NOT NULL,
    is_deleted INTEGER NOT NULL,
    is_hard_deleted INTEGER NOT NULL,
    is_dirty INTEGER NOT NULL,
    self_reference TEXT NOT NULL,
    transfer_session BLOB,
    failure_kind TEXT,
    failure_reason TEXT,
    record_max_counters BLOB NOT NULL,
    serialized TEXT NOT NULL,
    conflicting_serialized_data TEXT NOT NULL
);
-- Serves queuing (one instance's records under a prefix beyond a counter) and the reduction of counters.
CREATE INDEX morango_store_by_stamp ON morango_store (last_saved_instance, profile, partition, last_saved_counter);
-- Serves queuing where an instance saved little since: its latest records, wherever they lie.
CREATE INDEX morango_store_by_counter ON morango_store (last_saved_instance, last_saved_counter);
-- What waits to become a row, or to have its row deleted.
CREATE INDEX morango_store_dirty ON morango_store (profile, model_name, is_deleted, sequence) WHERE is_dirty = 1;
-- What a transfer changed, by model.
CREATE INDEX morango_store_touched ON morango_store (transfer_session, model_name, record_id)
    WHERE transfer_session IS NOT NULL;
-- The children of a record in its tree.
CREATE INDEX morango_store_by_parent ON morango_store (self_reference) WHERE self_reference <> '';

CREATE TABLE morango_database_max_counter (
    partition TEXT NOT NULL,
    instance BLOB NOT NULL,
    counter INTEGER NOT NULL,
    PRIMARY KEY (partition, instance)
) WITHOUT ROWID;

-- What the store may hold without a claim to hold all of it, up to which counter: it is passed on, and claimed when all has come.
CREATE TABLE morango_unclaimed (
    partition TEXT NOT NULL,
    instance BLOB NOT NULL,
    counter INTEGER NOT NULL,
    PRIMARY KEY (partition, instance)
) WITHOUT ROWID;

CREATE TABLE morango_certificate (
    id BLOB NOT NULL PRIMARY KEY,
    parent BLOB,
    profile TEXT NOT NULL,
    scope_definition TEXT NOT NULL,
    serialized TEXT NOT NULL,
    signature TEXT NOT NULL,
    private_key TEXT
) WITHOUT ROWID;
CREATE INDEX morango_certificate_by_parent ON morango_certificate (parent);

CREATE TABLE morango_nonce (
    id BLOB NOT NULL PRIMARY KEY,
    issued_at INTEGER NOT NULL,
    ip TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX morango_nonce_by_age ON morango_nonce (issued_at);

CREATE TABLE morango_sync_session (
    id BLOB NOT NULL PRIMARY KEY,
    side TEXT NOT NULL,
    profile TEXT NOT NULL,
    client_certificate BLOB NOT NULL,
    server_certificate BLOB NOT NULL,
    client_instance BLOB,
    server_instance BLOB,
    client_instance_json TEXT NOT NULL,
    server_instance_json TEXT NOT NULL,
    connection_path TEXT NOT NULL,
    client_ip TEXT NOT NULL,
    server_ip TEXT NOT NULL,
    capabilities TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    last_activity_at INTEGER NOT NULL,
    is_active INTEGER NOT NULL
) WITHOUT ROWID;

-- What sync sessions and transfer sessions remember for operations: gone when they are closed.
CREATE TABLE morango_session_memory (
    session BLOB NOT NULL,
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (session, owner, name)
) WITHOUT ROWID;

CREATE TABLE morango_transfer_session (
    id BLOB NOT NULL PRIMARY KEY,
    sync_session BLOB NOT NULL REFERENCES morango_sync_session (id),
    side TEXT NOT NULL,
    direction TEXT NOT NULL,
    profile TEXT NOT NULL,
    filter TEXT NOT NULL,
    stage TEXT NOT NULL,
    status TEXT NOT NULL,
    error TEXT,
    records_total INTEGER,
    records_transferred INTEGER NOT NULL,
    bytes_sent INTEGER NOT NULL,
    bytes_received INTEGER NOT NULL,
    client_fsic TEXT NOT NULL,
    server_fsic TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    last_activity_at INTEGER NOT NULL,
    is_active INTEGER NOT NULL
);
-- At most one open transfer for each sync session and direction.
CREATE UNIQUE INDEX morango_transfer_session_open ON morango_transfer_session (sync_session, direction) WHERE is_active = 1;

-- What is queued for a receiver: pages of 500 sequence numbers of the store, 8 bytes each, big-endian.
CREATE TABLE morango_outgoing (
    transfer_session BLOB NOT NULL,
    page INTEGER NOT NULL,
    sequences BLOB NOT NULL,
    PRIMARY KEY (transfer_session, page)
) WITHOUT ROWID;

-- What was received: one row a chunk, its accepted records in a compact form.
CREATE TABLE morango_incoming (
    number INTEGER NOT NULL PRIMARY KEY,
    transfer_session BLOB NOT NULL,
    digest BLOB NOT NULL,
    records INTEGER NOT NULL,
    content BLOB NOT NULL,
    UNIQUE (transfer_session, digest)
);

-- What was refused at the gate.
CREATE TABLE morango_rejection (
    number INTEGER NOT NULL PRIMARY KEY,
    transfer_session BLOB NOT NULL,
    claimed_id TEXT NOT NULL,
    reason TEXT NOT NULL,
    received TEXT NOT NULL
);
CREATE INDEX morango_rejection_by_session ON morango_rejection (transfer_session);
