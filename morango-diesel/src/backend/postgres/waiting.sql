-- What waits to become a row, and what was dropped: of the store exactly those records whose is_dirty is not 0, as the triggers below
-- keep it. Databases of ours have had indexes over is_dirty itself. There, settling a record wrote its whole row anew and an entry for it in
-- every index of the store; now that no index hangs on what is settled, a page with room for it takes the row, and no index is touched.
-- Programs of an earlier version that are still running write to the store as before, and find what waits the slow way until they end.

CREATE TABLE morango_waiting (
    is_dirty BIGINT NOT NULL,
    profile TEXT COLLATE "C" NOT NULL,
    model_name TEXT COLLATE "C" NOT NULL,
    is_deleted BIGINT NOT NULL,
    sequence BIGINT NOT NULL,
    PRIMARY KEY (is_dirty, profile, model_name, is_deleted, sequence)
);

-- Half of each page is left for what settling writes beside what is there. Without it the same room is taken at the end of the table.
ALTER TABLE morango_store SET (fillfactor = 50);
DROP INDEX IF EXISTS morango_store_dirty;
DROP INDEX IF EXISTS morango_store_dropped;

-- The children of a record in its tree, in the order in which they came.
DROP INDEX IF EXISTS morango_store_by_parent;
CREATE INDEX morango_store_by_parent ON morango_store (self_reference, sequence) WHERE self_reference <> '';

INSERT INTO morango_waiting (is_dirty, profile, model_name, is_deleted, sequence)
    SELECT is_dirty, profile, model_name, is_deleted, sequence FROM morango_store WHERE is_dirty <> 0;

CREATE FUNCTION morango_note_waiting() RETURNS trigger LANGUAGE plpgsql AS $note$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        -- Each is looked up by itself, whatever the server believes of how much waits: OFFSET 0 keeps it from reading all of that.
        DELETE FROM morango_waiting WHERE ctid = ANY (ARRAY (
            SELECT waiting.ctid FROM old_rows CROSS JOIN LATERAL (
                SELECT ctid FROM morango_waiting AS one WHERE one.is_dirty = old_rows.is_dirty
                    AND one.profile = old_rows.profile AND one.model_name = old_rows.model_name
                    AND one.is_deleted = old_rows.is_deleted AND one.sequence = old_rows.sequence OFFSET 0
            ) AS waiting WHERE old_rows.is_dirty <> 0));
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO morango_waiting (is_dirty, profile, model_name, is_deleted, sequence)
            SELECT is_dirty, profile, model_name, is_deleted, sequence FROM new_rows WHERE is_dirty <> 0;
    END IF;
    RETURN NULL;
END $note$;
CREATE TRIGGER morango_waiting_comes AFTER INSERT ON morango_store REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION morango_note_waiting();
CREATE TRIGGER morango_waiting_changes AFTER UPDATE ON morango_store REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION morango_note_waiting();
CREATE TRIGGER morango_waiting_goes AFTER DELETE ON morango_store REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION morango_note_waiting();
