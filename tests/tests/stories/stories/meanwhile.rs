//! The application goes on writing while a sync runs.
//!
//! Goal: nothing that it writes is lost, whatever the engine is doing at that moment. Method: as each stage of the pull
//! begins, SQL changes a row that the server has changed too, one row for each stage.

use std::sync::{Arc, Mutex};

use morango::hook::{Event, Phase};
use morango::prelude::*;
use morango::session::Stage;
use morango_tests::compare::assert_equal;

use super::given::{Between, moved, rename, root, two_equal_devices};

pub(super) fn a_row_changed_by_sql_during_a_sync_is_not_lost(on: Between) {
    let (server, client, school, url) = two_equal_devices(on);
    let stages = Stage::ALL;
    let learners = stages.map(|stage| school.user(&server, stage.as_str()));
    client.sync(&url, root(), SyncOptions::pull());
    for learner in learners {
        rename(&server, learner, "by the server");
    }

    // When, as each stage of the pull begins, the application changes that stage's learner.
    let write = client.writer();
    let changed = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&changed);
    let options = SyncOptions::both_ways().on_event(move |event| {
        let Event::Stage { direction: Direction::Pull, stage, phase: Phase::Started, .. } = event else { return };
        let place = Stage::ALL.iter().position(|each| each == stage).expect("one of the seven");
        write(&format!("UPDATE \"user\" SET full_name = 'during {stage}' WHERE id = '{}'", learners[place]));
        seen.lock().expect("nobody panicked").push(*stage);
    });
    client.sync(&url, root(), options);
    client.sync(&url, root(), SyncOptions::both_ways());

    let changed = changed.lock().expect("nobody panicked").clone();
    assert!(changed.contains(&Stage::Dequeuing) && changed.contains(&Stage::Deserializing), "{changed:?}");
    for (stage, learner) in stages.iter().zip(learners).filter(|(stage, _)| changed.contains(stage)) {
        let record = server.record(&learner);
        let texts = format!("{}\n{}", record.serialized, record.conflicting_serialized_data);
        assert!(texts.contains(&format!("during {stage}")), "what was written during {stage} is lost: {texts}");
        // Who writes after the row was brought up to date changes what the server wrote, and knows it.
        assert!(*stage == Stage::Cleanup || texts.contains("by the server"), "what the server wrote is lost: {texts}");
    }
    assert_equal(&server, &client, &[]);
    assert_eq!(moved(&client.sync(&url, root(), SyncOptions::both_ways())), (0, 0));
}
