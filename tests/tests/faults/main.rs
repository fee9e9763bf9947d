//! Faults beneath the peers and between them: databases that are held, full, read-only or gone, clocks that are wrong, devices that
//! went back in time, processes that are killed, and more of everything at once than usual.
//!
//! Each story holds four things against what happens: the error says what is wrong, of a kind of its own; nothing is lost, and no
//! database max counter falls; once the cause is gone the next sync, or the one that is taken up again, ends well; and then both
//! sides are equal.

#![expect(clippy::print_stdout, reason = "a story of many cases says what it tried, and with which seed")]

#[path = "."]
mod faults {
    mod at_once;
    mod backups;
    mod clocks;
    mod disk;
    mod full;
    mod going_on;
    mod kills;
    mod locked;
    mod lost;
    mod processes;
    mod read_only;
    #[cfg(unix)]
    mod restarted;
    mod undone;

    /// Names a test for each story in the list, on the databases of client and server.
    macro_rules! told_on {
        ($client:ident, $server:ident; $($room:ident::$story:ident,)+) => {$(
            #[test]
            fn $story() {
                use morango_tests::database::Database;
                use morango_tests::given::Between;
                crate::faults::$room::$story(Between { client: Database::$client, server: Database::$server });
            }
        )+};
    }

    macro_rules! stories {
        ($client:ident, $server:ident) => {
            told_on! { $client, $server;
                at_once::two_syncs_of_one_application_at_once_bring_everything_once,
                at_once::two_servers_may_be_synced_with_at_once,
                at_once::two_that_call_each_other_at_once_end_equal,
                at_once::two_programs_on_one_database_may_sync_at_once,
                backups::a_peer_that_restored_an_old_backup_is_given_back_what_it_lost,
                clocks::clocks_that_are_wrong_by_a_day_are_no_hindrance,
                clocks::a_clock_that_is_set_in_the_middle_of_a_sync_is_no_hindrance,
                clocks::a_hold_of_a_process_whose_clock_was_wrong_ends_when_it_would,
                clocks::servers_of_one_peer_whose_clocks_differ_say_so,
                full::a_client_whose_disk_is_full_at_any_stage_says_so_and_loses_nothing,
                full::a_server_whose_disk_is_full_at_any_stage_says_that_it_failed_and_loses_nothing,
                locked::a_client_waits_for_locks_up_to_its_patience_and_goes_on_when_they_are_gone,
                locked::a_server_whose_database_is_held_at_any_stage_keeps_the_client_waiting_or_lets_it_come_again,
                processes::what_one_process_closed_another_does_not_claim,
            }
        };
    }

    /// Those of a client whose database is a file.
    #[cfg(unix)]
    macro_rules! stories_of_files {
        ($server:ident) => {
            told_on! { Sqlite, $server;
                full::a_file_that_may_not_grow_in_the_midst_of_a_sync_keeps_what_it_has,
                lost::a_file_that_is_gone_in_the_midst_of_a_sync_is_told_and_gone_on_with_when_it_is_back,
                lost::a_file_in_the_place_of_another_is_not_written_to_before_an_engine_is_built_on_it,
                read_only::a_file_that_may_only_be_read_is_told_with_advice,
            }
        };
    }

    /// Those of two whose databases are files, on disks that fail.
    macro_rules! stories_of_disks {
        () => {
            told_on! { Sqlite, Sqlite;
                disk::a_client_whose_disk_fails_at_any_call_says_so_and_loses_nothing,
                disk::a_client_whose_disk_fails_from_any_call_on_says_so_and_goes_on_when_it_works,
                disk::a_server_whose_disk_fails_at_any_call_says_that_it_failed_and_loses_nothing,
                disk::a_server_whose_disk_fails_from_any_call_on_says_that_it_failed_and_goes_on_when_it_works,
            }
        };
    }

    /// Those of a client whose database is on a server.
    macro_rules! stories_of_connected_clients {
        ($server:ident) => {
            told_on! { Postgres, $server;
                locked::a_row_that_the_application_is_changing_is_waited_for_and_its_change_kept,
                locked::a_row_that_is_held_for_too_long_is_told_within_the_patience_and_costs_nothing,
                lost::a_database_that_lets_nobody_in_at_any_stage_is_told_and_gone_on_with_when_it_does,
                read_only::a_database_that_an_operator_made_read_only_is_not_written_to_and_told,
                undone::a_client_whose_transactions_are_undone_for_ever_says_so_and_loses_nothing,
            }
        };
    }

    /// Those of a server whose database is on another one.
    macro_rules! stories_of_connected_servers {
        ($client:ident) => {
            told_on! { $client, Postgres;
                read_only::a_server_whose_database_an_operator_made_read_only_says_so_to_whoever_calls_and_loses_nothing,
                undone::a_server_whose_transactions_are_undone_for_ever_says_that_it_is_busy_and_loses_nothing,
            }
        };
    }

    /// Those in which one of the two has connections that can be cut.
    macro_rules! stories_of_connections {
        ($client:ident, $server:ident) => {
            told_on! { $client, $server;
                lost::connections_that_are_cut_at_any_stage_cost_nothing,
                lost::connections_that_are_cut_at_any_statement_cost_nothing,
                undone::a_transaction_that_met_another_one_is_run_again_and_the_sync_goes_well,
            }
        };
    }

    /// Those in which a server of databases is stopped beneath one of the two, or beneath both.
    #[cfg(unix)]
    macro_rules! stories_of_restarts {
        ($client:ident, $server:ident) => {
            told_on! { $client, $server;
                restarted::a_database_server_that_is_restarted_at_any_stage_costs_nothing,
                restarted::a_database_server_that_crashes_at_any_stage_and_comes_back_later_costs_nothing,
            }
        };
    }

    macro_rules! kills {
        ($client:ident, $server:ident) => {
            told_on! { $client, $server;
                kills::a_client_that_is_killed_at_any_moment_costs_nothing_and_one_chunk_at_most,
                kills::a_server_that_is_killed_at_any_moment_costs_nothing_and_one_chunk_at_most,
            }
        };
    }

    mod client_on_sqlite {
        mod server_on_sqlite {
            stories!(Sqlite, Sqlite);
            told_on! { Sqlite, Sqlite;
                at_once::twenty_clients_at_once_are_all_served_by_one_process_and_end_equal,
            }
            #[cfg(unix)]
            stories_of_files!(Sqlite);
            stories_of_disks!();
            kills!(Sqlite, Sqlite);
        }

        mod server_on_postgres {
            stories!(Sqlite, Postgres);
            told_on! { Sqlite, Postgres;
                at_once::forty_clients_at_once_are_all_served_by_three_processes_on_one_database_and_end_equal,
            }
            #[cfg(unix)]
            stories_of_files!(Postgres);
            stories_of_connected_servers!(Sqlite);
            stories_of_connections!(Sqlite, Postgres);
            #[cfg(unix)]
            stories_of_restarts!(Sqlite, Postgres);
            kills!(Sqlite, Postgres);
        }
    }

    mod client_on_postgres {
        mod server_on_sqlite {
            stories!(Postgres, Sqlite);
            stories_of_connected_clients!(Sqlite);
            stories_of_connections!(Postgres, Sqlite);
            #[cfg(unix)]
            stories_of_restarts!(Postgres, Sqlite);
            kills!(Postgres, Sqlite);
        }

        mod server_on_postgres {
            stories!(Postgres, Postgres);
            stories_of_connected_clients!(Postgres);
            stories_of_connected_servers!(Postgres);
            stories_of_connections!(Postgres, Postgres);
            #[cfg(unix)]
            stories_of_restarts!(Postgres, Postgres);
            kills!(Postgres, Postgres);
        }
    }
}
