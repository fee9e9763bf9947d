//! Peers of ours among themselves.
//!
//! A story is written once, over the databases that its devices are on; the list below tells it on each pair of them.

mod accounts;
mod apart;
mod background;
mod capture;
mod deletions;
mod dialects;
mod failures;
mod forgetting;
mod frugal;
mod learners;
mod many_devices;
mod meanwhile;
mod on_the_line;
mod operations;
mod options;
mod processes;
mod restored;
mod resume;
mod two_devices;
mod waiting;

use morango_tests::given;

/// Names a test for each story in the list, on the databases of client and server.
macro_rules! stories {
    ($client:ident, $server:ident) => {
        told_on! { $client, $server;
            accounts::an_account_of_one_school_gets_nothing_of_another_on_the_same_server,
            apart::what_is_serialized_apart_travels_once_it_is,
            apart::what_comes_writes_over_no_change_that_is_to_be_serialized_apart,
            apart::what_is_deserialized_apart_waits_until_it_is,
            background::a_sync_in_the_background_can_be_joined,
            background::a_sync_in_the_background_can_be_awaited,
            background::a_peer_that_is_not_there_is_an_error_of_the_task,
            capture::a_row_whose_id_can_be_calculated_may_be_inserted_by_sql_and_one_whose_id_cannot_is_set_aside,
            capture::a_row_that_was_set_aside_and_is_gone_is_forgotten,
            capture::changes_in_a_transaction_that_is_rolled_back_do_not_travel,
            deletions::a_deletion_takes_along_what_hangs_on_it,
            deletions::a_hard_deletion_leaves_nothing_of_the_text,
            deletions::a_hard_deletion_wins_over_an_edit_made_meanwhile,
            deletions::a_deleted_record_stays_deleted_after_an_older_edit_arrives,
            deletions::what_is_made_again_after_its_deletion_is_back,
            deletions::what_is_made_and_deleted_between_two_syncs_moves_nothing,
            deletions::a_row_added_to_what_was_deleted_elsewhere_goes_with_it,
            dialects::a_school_lives_on_two_devices_whatever_their_peers_lack,
            dialects::a_push_whose_last_answer_is_lost_was_done_and_is_not_done_again,
            dialects::a_push_whose_last_call_never_arrived_is_brought_to_its_end,
            failures::a_field_that_the_model_refuses_keeps_one_record_waiting_until_it_is_mended,
            failures::a_constraint_of_the_table_keeps_one_record_waiting_until_it_is_mended_here,
            failures::a_record_whose_foreign_key_is_not_here_yet_waits_for_it,
            failures::what_waits_here_is_passed_on_all_the_same,
            forgetting::a_school_that_is_forgotten_here_lives_on_elsewhere_and_comes_back_whole,
            forgetting::changes_that_nobody_else_has_are_not_forgotten_unless_they_may_be_lost,
            forgetting::a_school_is_not_forgotten_while_a_sync_of_it_is_open,
            forgetting::a_sync_of_another_school_hands_nothing_over_of_this_one,
            forgetting::what_a_broken_push_had_queued_is_not_forgotten,
            forgetting::what_others_pulled_may_be_forgotten_and_nothing_else,
            frugal::a_sync_with_nothing_new_is_over_in_a_few_short_requests,
            frugal::counters_go_over_once_each_way_however_many_requests_a_pull_takes,
            frugal::a_server_that_has_lost_a_callers_certificate_is_shown_its_whole_chain_again,
            frugal::a_server_that_has_lost_the_key_it_spoke_with_speaks_in_the_name_of_another,
            frugal::a_server_that_may_do_more_than_the_last_time_does_it,
            learners::what_a_learner_made_reaches_a_second_school_device_that_never_met_the_tablet,
            learners::what_reached_a_school_device_before_is_joined_by_what_a_learner_made_later,
            learners::a_learners_second_tablet_gets_what_the_first_one_made,
            learners::a_tablet_gets_from_a_second_server_what_was_made_at_the_first,
            learners::a_tablet_that_met_two_changes_of_what_it_may_only_read_follows_those_who_may_write_it,
            learners::a_school_device_may_call_a_tablet,
            many_devices::three_devices_in_a_ring_converge,
            many_devices::three_devices_in_a_ring_come_to_the_same_by_the_models_policy,
            many_devices::two_that_never_meet_have_the_same_through_a_third_that_signed_for_the_last,
            many_devices::two_clients_may_sync_with_one_server_at_once_while_it_writes_itself,
            many_devices::whatever_five_devices_do_and_whoever_meets_whom_all_end_equal,
            many_devices::what_came_of_a_push_that_broke_off_reaches_a_third_device,
            meanwhile::a_row_changed_by_sql_during_a_sync_is_not_lost,
            on_the_line::open_sessions_are_told_with_every_member_that_existing_peers_tell,
            on_the_line::who_says_what_it_will_read_of_a_transfer_is_told_no_more,
            on_the_line::pages_lead_through_the_queue_and_a_list_without_a_limit_holds_all,
            on_the_line::only_certificates_are_told_whose_keys_are_here,
            on_the_line::what_an_application_says_of_itself_reaches_the_peer_and_replaces_nothing_of_ours,
            operations::what_a_server_makes_for_its_caller_goes_along_in_the_same_pull,
            operations::an_edit_that_is_not_the_learners_own_is_not_sent,
            operations::what_is_put_right_after_a_pull_stays_here_where_it_is_untracked,
            operations::an_operation_puts_away_what_stands_in_the_way_of_a_record,
            operations::a_stage_that_breaks_off_leaves_nothing_of_its_operations_and_a_resumed_one_repeats_none,
            operations::what_was_done_once_towards_the_network_is_not_done_again_by_an_engine_that_is_built_anew,
            operations::a_filter_that_the_server_widened_is_synced_both_ways,
            operations::a_hook_learns_which_records_a_transfer_changed,
            options::events_arrive_in_the_order_of_the_stages,
            options::the_numbers_of_a_report_add_up,
            options::a_filter_narrows_what_travels,
            options::a_filter_outside_the_scope_is_refused,
            options::no_chunk_is_larger_than_was_asked_for,
            options::a_cancelled_sync_stops_and_the_next_one_ends_it,
            options::counters_of_which_there_is_nothing_to_send_are_told_where_that_is_asked_for,
            restored::a_backup_put_back_as_a_new_database_is_another_instance_and_nothing_is_lost,
            restored::a_backup_that_overwrote_its_database_is_found_out_by_what_the_peer_knows,
            restored::an_instance_that_is_renewed_on_request_goes_on_with_everything,
            restored::two_copies_of_one_database_are_two_devices,
            restored::two_copies_that_cannot_be_told_apart_are_found_out_by_their_server,
            restored::a_server_that_was_restored_gets_back_what_its_clients_know,
            resume::a_line_that_breaks_at_any_request_is_gone_on_over_from_there,
            resume::a_server_that_is_overloaded_for_a_moment_is_asked_again,
            resume::a_server_that_fails_is_not_asked_again,
            resume::another_process_on_the_same_session_is_refused_while_it_is_at_work,
            two_devices::a_first_sync_both_ways_brings_each_what_the_other_has,
            two_devices::a_first_pull_brings_everything_into_an_empty_device,
            two_devices::where_nothing_is_new_nothing_moves,
            two_devices::what_both_changed_is_merged_and_the_loser_kept,
            two_devices::rows_made_apart_from_the_same_source_are_one_record,
            two_devices::a_tree_arrives_in_one_go_however_deep_it_is,
            two_devices::a_branch_that_is_moved_in_the_tree_stands_there_on_both_sides,
            two_devices::what_was_pulled_and_changed_here_is_not_pulled_again,
            two_devices::two_people_of_one_name_made_apart_are_two,
            waiting::what_waits_tells_who_sent_it_and_is_tried_again_on_request,
            waiting::what_failed_before_is_passed_by_where_that_is_asked_for,
            waiting::what_was_dropped_is_passed_on_and_comes_back_with_its_next_change,
            waiting::names_that_change_hands_at_the_server_change_hands_here,
        }
    };
}

/// Those in which processes are ended by force, which takes its time: where both sides are on one kind of database.
macro_rules! stories_of_processes {
    ($both:ident) => {
        told_on! { $both, $both;
            processes::a_client_that_is_killed_at_any_stage_goes_on_from_there,
            processes::a_server_that_is_killed_at_any_stage_and_started_again_goes_on,
        }
    };
}

macro_rules! told_on {
    ($client:ident, $server:ident; $($room:ident::$story:ident,)+) => {$(
        #[test]
        fn $story() {
            use morango_tests::database::Database;
            let on = crate::stories::given::Between { client: Database::$client, server: Database::$server };
            crate::stories::$room::$story(on);
        }
    )+};
}

mod client_on_sqlite {
    mod server_on_sqlite {
        stories!(Sqlite, Sqlite);
        stories_of_processes!(Sqlite);
    }

    mod server_on_postgres {
        stories!(Sqlite, Postgres);
    }
}

mod client_on_postgres {
    mod server_on_sqlite {
        stories!(Postgres, Sqlite);
    }

    mod server_on_postgres {
        stories!(Postgres, Postgres);
        stories_of_processes!(Postgres);
    }
}
