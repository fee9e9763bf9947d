//! Peers that went back in time: their database was restored from an old backup, and they go on from there.
//!
//! Goal: whoever meets one loses nothing, gives it back what it lost, and takes nothing back of what it has claimed itself. Method: a
//! device is closed, and opened on a copy of its database of some time ago, in the role of the client and in that of the server.

use morango::prelude::*;
use morango_tests::compare::{assert_equal, assert_none_fell};
use morango_tests::device::{Restoring, SchoolAccounts};
use morango_tests::given::{Between, rename, root, two_equal_devices};

pub(super) fn a_peer_that_restored_an_old_backup_is_given_back_what_it_lost(on: Between) {
    for restored_is_server in [true, false] {
        let (mut server, mut client, school, mut url) = two_equal_devices(on);
        let backup = if restored_is_server { server.back_up() } else { client.back_up() };
        if restored_is_server {
            url = server.serve(SchoolAccounts::admin());
        }
        // What both have made since, and exchanged, the restored one loses.
        for round in 0..4 {
            school.logs(&server, school.ada, 3);
            school.logs(&client, school.bert, 3);
            rename(&server, school.ada, &format!("round {round} of the server"));
            rename(&client, school.bert, &format!("round {round} of the client"));
            client.sync(&url, root(), SyncOptions::both_ways());
        }
        let other = if restored_is_server { &client } else { &server };
        let (before, records) = (other.counters(), other.store());
        if restored_is_server {
            server = server.restored(&backup, Restoring::AsNew);
            url = server.serve(SchoolAccounts::admin());
        } else {
            client = client.restored(&backup, Restoring::AsNew);
        }
        let restored = if restored_is_server { &server } else { &client };
        assert!(restored.store().len() < records.len());

        client.sync(&url, root(), SyncOptions::both_ways());
        client.sync(&url, root(), SyncOptions::both_ways());
        assert_equal(&server, &client, &[]);
        assert_eq!(server.store(), records, "what was lost is back as it was");

        let other = if restored_is_server { &client } else { &server };
        assert_none_fell(&before, &other.counters());
    }
}
