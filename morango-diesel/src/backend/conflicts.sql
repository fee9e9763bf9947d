-- The records that keep texts that lost, in the order in which they are listed. They are few, whatever the store holds.
CREATE INDEX morango_store_conflicts ON morango_store (profile, record_id) WHERE conflicting_serialized_data <> '';
