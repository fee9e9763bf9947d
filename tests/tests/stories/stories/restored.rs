//! Databases that were copied, or restored from a backup.
//!
//! Goal: no counter stands for two changes, whoever counts on from the same database; all devices end equal, and what each of them
//! saved is there. Method: real copies of files and databases, put back with and without a trace; what was saved under
//! the old name is compared with what stands under it in the end.

use morango::prelude::*;
use morango_tests::compare::assert_equal;
use morango_tests::device::{Device, Restoring, SchoolAccounts};

use super::given::{Between, School, empty_device, moved, rename, root, two_equal_devices};

/// A client that was backed up between two syncs, as it was when its backup was put back.
struct Restored {
    server: Device,
    client: Device,
    school: School,
    url: String,
    former: morango::id::InstanceId,
    /// What the client saved after the backup was made and synced: it is nowhere but at the server.
    since: Vec<SyncId>,
}

fn restored(on: Between, manner: Restoring) -> Restored {
    let (server, mut client, school, url) = two_equal_devices(on);
    school.logs(&client, school.ada, 1);
    client.sync(&url, root(), SyncOptions::both_ways());
    let backup = client.back_up();
    let former = client.engine.instance().id;
    rename(&client, school.ada, "Ada after the backup");
    let since = school.logs(&client, school.bert, 2);
    client.sync(&url, root(), SyncOptions::both_ways());
    let client = client.restored(&backup, manner);
    Restored { server, client, school, url, former, since }
}

/// Everything that the former instance saved is as it was when the server first had it, or was saved by somebody since.
fn no_stamp_stands_for_two_changes(before: &Device, after: &[&Device], check: impl FnOnce()) {
    let former = before.store();
    check();
    for device in after {
        for (id, record) in device.store() {
            let stood = former.values().find(|stood| stood.id == id && stood.last_saved == record.last_saved);
            assert!(stood.is_none_or(|stood| stood.serialized == record.serialized), "{}: {id}", device.name);
        }
    }
}

fn edits_after_the_restore(restored: &Restored) -> SyncId {
    let Restored { client, school, .. } = restored;
    rename(client, school.ada, "Ada after the restore");
    rename(client, school.bert, "Bert after the restore");
    school.logs(client, school.ada, 1)[0]
}

fn all_is_there(restored: &Restored, made: SyncId) {
    let Restored { server, client, school, since, .. } = restored;
    assert_equal(server, client, &[]);
    let ada = server.record(&school.ada);
    assert!(ada.serialized.contains("Ada after the"), "{}", ada.serialized);
    let both = format!("{}{}", ada.serialized, ada.conflicting_serialized_data);
    assert!(both.contains("Ada after the backup") && both.contains("Ada after the restore"), "{both}");
    assert!(server.record(&school.bert).serialized.contains("Bert after the restore"));
    assert!(since.iter().chain([&made]).all(|id| server.store().contains_key(id)));
}

pub(super) fn a_backup_put_back_as_a_new_database_is_another_instance_and_nothing_is_lost(on: Between) {
    let restored = restored(on, Restoring::AsNew);
    let Restored { server, client, url, former, .. } = &restored;
    let current = client.engine.instance().id;
    assert_ne!(current, *former, "it was found out before anything was saved");
    let made = edits_after_the_restore(&restored);

    no_stamp_stands_for_two_changes(server, &[server, client], || {
        let report = client.sync(url, root(), SyncOptions::both_ways());
        assert!(report.renewed().is_none(), "there is nothing left to find out");
    });

    all_is_there(&restored, made);
    assert_eq!(moved(&client.sync(url, root(), SyncOptions::both_ways())), (0, 0));
    assert_eq!(client.builder().build().expect("an engine").instance().id, current, "nothing changed since");
}

pub(super) fn a_backup_that_overwrote_its_database_is_found_out_by_what_the_peer_knows(on: Between) {
    let restored = restored(on, Restoring::Unseen);
    let Restored { server, client, url, former, .. } = &restored;
    assert_eq!(client.engine.instance().id, *former, "nothing shows that it is another database");
    let made = edits_after_the_restore(&restored);

    no_stamp_stands_for_two_changes(server, &[server, client], || {
        let report = client.sync(url, root(), SyncOptions::both_ways());
        let renewed = report.renewed().expect("the server knows more of it than it does");
        assert_eq!((renewed.former, renewed.restamped), (*former, 3));
        assert_eq!(client.engine.instance().id, renewed.current);
    });

    all_is_there(&restored, made);
    assert!(client.sync(url, root(), SyncOptions::both_ways()).renewed().is_none());
    assert_eq!(moved(&client.sync(url, root(), SyncOptions::both_ways())), (0, 0));
}

pub(super) fn an_instance_that_is_renewed_on_request_goes_on_with_everything(on: Between) {
    let (server, client, school, url) = two_equal_devices(on);
    school.logs(&client, school.ada, 2);
    client.serialize();

    let renewed = client.engine.renew_database_id().expect("a new id");

    assert_eq!(renewed.restamped, 2, "what nobody was told of is saved anew");
    assert_eq!(client.engine.instance().id, renewed.current);
    assert_eq!(moved(&client.sync(&url, root(), SyncOptions::both_ways())), (0, 2));
    assert_equal(&server, &client, &[]);
    assert_eq!(client.builder().build().expect("an engine").instance().id, renewed.current);
}

pub(super) fn two_copies_of_one_database_are_two_devices(on: Between) {
    let (server, mut client, school, url) = two_equal_devices(on);
    school.logs(&client, school.ada, 1);
    client.sync(&url, root(), SyncOptions::both_ways());
    let twin = client.copied("twin", Restoring::AsNew);
    assert_ne!(client.engine.instance().id, twin.engine.instance().id);

    meet_until_equal(&server, &client, &twin, &school, &url);
}

pub(super) fn two_copies_that_cannot_be_told_apart_are_found_out_by_their_server(on: Between) {
    // As where the disk of a machine is cloned with all that names the machine.
    let (server, mut client, school, url) = two_equal_devices(on);
    school.logs(&client, school.ada, 1);
    client.sync(&url, root(), SyncOptions::both_ways());
    let twin = client.copied("twin", Restoring::Unseen);
    assert_eq!(client.engine.instance().id, twin.engine.instance().id);

    meet_until_equal(&server, &client, &twin, &school, &url);

    assert_ne!(client.engine.instance().id, twin.engine.instance().id);
}

/// Two copies change the same and other things under the same numbers, and sync with one server.
fn meet_until_equal(server: &Device, client: &Device, twin: &Device, school: &School, url: &str) {
    rename(client, school.ada, "Ada of the client");
    rename(twin, school.ada, "Ada of the twin");
    let ours = school.logs(client, school.bert, 2);
    let theirs = school.logs(twin, school.bert, 3);

    for device in [client, twin, client, twin] {
        device.sync(url, root(), SyncOptions::both_ways());
    }

    assert_equal(server, client, &[]);
    assert_equal(server, twin, &[]);
    assert!(ours.iter().chain(&theirs).all(|id| server.store().contains_key(id)));
    let ada = server.record(&school.ada);
    let both = format!("{}{}", ada.serialized, ada.conflicting_serialized_data);
    assert!(both.contains("Ada of the client") && both.contains("Ada of the twin"), "{both}");
}

pub(super) fn a_server_that_was_restored_gets_back_what_its_clients_know(on: Between) {
    let (mut server, client, school, url) = two_equal_devices(on);
    server.fall_silent();
    drop(url);
    let backup = server.back_up();
    let url = server.serve(SchoolAccounts::admin());
    rename(&server, school.ada, "Ada after the backup");
    let since = school.logs(&server, school.bert, 2);
    client.sync(&url, root(), SyncOptions::both_ways());
    let mut server = server.restored(&backup, Restoring::Unseen);
    let former = server.engine.instance().id;
    rename(&server, school.bert, "Bert after the restore");
    let url = server.serve(SchoolAccounts::admin());

    client.sync(&url, root(), SyncOptions::both_ways());

    assert_ne!(server.engine.instance().id, former);
    client.sync(&url, root(), SyncOptions::both_ways());
    assert_equal(&server, &client, &[]);
    assert!(since.iter().all(|id| server.store().contains_key(id)));
    assert!(client.record(&school.bert).serialized.contains("Bert after the restore"));
    assert!(server.record(&school.ada).serialized.contains("Ada after the backup"));
    let other = empty_device(on.client, "other");
    other.sync(&url, root(), SyncOptions::pull());
    assert_equal(&server, &other, &[]);
}
