//! Ids that follow from a seed. This is a program of its own, since the ids of a whole process follow.

use morango::id::{SeededIds, SyncId};

#[test]
fn the_same_seed_draws_the_same_ids_and_none_draws_others() {
    let draw = || [SyncId::random(), SyncId::random()];
    let ids = SeededIds::begin(7);
    let first = draw();
    ids.reseed(7);
    assert_eq!(draw(), first);
    ids.reseed(8);
    assert_ne!(draw(), first);
    drop(ids);
    assert_ne!(draw(), draw());
}
