-- Up to which counter somebody else has what an instance that this database is, or was, saved under a partition. It is noted of
-- transfers that were completed, and of what peers say that they have: what lies beyond it would be lost if it were deleted here. Programs that do
-- not know of it note nothing, and then more counts as unsent than is.
CREATE TABLE morango_handed_over (
    partition TEXT COLLATE "C" NOT NULL,
    instance UUID NOT NULL,
    counter BIGINT NOT NULL,
    PRIMARY KEY (partition, instance)
);
