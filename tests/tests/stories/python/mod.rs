//! One peer of ours and one of the Python package.
//!
//! A story is written once, over who calls whom and what each of them is; the lists below tell it with each cast. `cargo xtask
//! test` reads the matrix of who met whom off the names of the modules.

mod certificates;
mod conflicts;
mod deletions;
mod dialects;
mod first;
mod histories;
mod many;
mod meeting;
mod policies;
mod pushing;
mod restored;
mod resume;
mod samples;
mod school;
mod side;
mod single_user;
mod trees;
mod unknown;
mod waiting;

use morango::session::Capability;

/// Tells every story with one cast.
macro_rules! stories {
    ($cast:expr) => {
        told_with! { $cast;
            certificates::an_administrator_is_given_the_whole_school,
            certificates::a_learner_is_given_their_own_scope,
            certificates::a_learner_is_refused_the_scope_of_another,
            certificates::a_wrong_password_is_refused,
            pushing::a_school_is_brought_to_a_server_by_giving_it_a_certificate,
            first::a_first_pull_brings_everything,
            first::a_first_push_brings_everything,
            first::where_nothing_is_new_nothing_moves,
            first::changes_on_both_sides_reach_the_other,
            first::a_filter_narrows_what_is_pulled,
            conflicts::what_both_changed_is_merged_and_the_loser_kept,
            conflicts::a_second_conflict_puts_its_loser_before_the_first,
            conflicts::an_edit_and_a_deletion_of_one_record_end_in_the_deletion,
            policies::a_policy_of_ours_merges_and_python_takes_what_comes_of_it,
            policies::where_python_merges_its_rule_holds_and_we_take_what_comes_of_it,
            policies::a_decision_of_ours_ends_the_conflict_on_both_sides,
            deletions::a_deletion_pushed_takes_along_what_hangs_on_it,
            deletions::a_deletion_pulled_takes_along_what_hangs_on_it,
            deletions::a_hard_deletion_pushed_leaves_nothing_of_the_text,
            deletions::a_hard_deletion_pulled_leaves_nothing_of_the_text,
            deletions::a_membership_made_again_after_its_deletion_is_back_on_both_sides,
            deletions::a_membership_made_again_after_its_hard_deletion_is_back_on_both_sides,
            deletions::a_row_added_to_what_was_deleted_on_the_other_side_goes_with_it,
            trees::a_deep_tree_is_pulled_in_one_go,
            trees::a_deep_tree_is_pushed_in_one_go,
            unknown::what_we_do_not_know_is_kept_and_passed_on,
            unknown::what_python_does_not_know_is_kept_and_passed_on,
            many::five_thousand_records_are_pulled_in_chunks,
            many::five_thousand_records_are_pushed_in_chunks,
            samples::every_kind_of_field_travels_from_python_to_us,
            samples::every_kind_of_field_travels_from_us_to_python,
            dialects::a_school_lives_on_both_sides,
            dialects::what_a_peer_of_the_first_version_brought_reaches_a_third_device,
            dialects::one_map_for_two_prefixes_is_not_believed_of_third_devices,
            resume::a_line_that_breaks_is_gone_on_over_from_there,
            single_user::only_what_is_a_learners_own_travels,
            single_user::a_learner_cannot_reach_for_more_than_is_theirs,
            single_user::what_a_learner_made_reaches_a_third_device_that_has_all,
            waiting::two_users_who_swap_their_names_under_a_unique_index_both_get_them,
            waiting::branches_put_within_each_other_apart_wait_until_one_is_moved,
            waiting::what_we_hung_on_a_row_that_python_deleted_goes_with_it_on_both_sides,
            waiting::what_was_dropped_here_stays_on_the_other_side_and_comes_with_its_next_change,
            histories::random_histories_are_lived_alike,
        }
    };
}

/// Tells every story with one cast, and those in which it must be Python that answers.
macro_rules! stories_of_a_server {
    ($cast:expr) => {
        stories!($cast);
        told_with! { $cast;
            restored::a_backup_that_overwrote_ours_is_found_out_by_what_python_knows,
            restored::a_school_that_is_forgotten_here_is_not_deleted_in_python_and_comes_back,
            resume::a_python_server_that_was_killed_while_deserializing_is_brought_to_its_end,
            resume::what_a_push_that_was_given_up_did_not_bring_comes_with_the_next,
        }
    };
}

/// The same, where Python is on a file, of which a backup can be put back.
macro_rules! stories_of_a_server_on_a_file {
    ($cast:expr) => {
        stories_of_a_server!($cast);
        stories_of_a_backup!($cast);
    };
}

/// Tells every story with one cast, in which Python calls and is on a file.
macro_rules! stories_of_a_caller_on_a_file {
    ($cast:expr) => {
        stories!($cast);
        stories_of_a_backup!($cast);
    };
}

macro_rules! stories_of_a_backup {
    ($cast:expr) => {
        told_with! { $cast;
            restored::what_a_restored_python_peer_saves_under_numbers_that_are_known_comes_with_its_next_change,
        }
    };
}

/// Tells with one cast what shows whether a version or dialect is understood.
macro_rules! stories_of_understanding {
    ($cast:expr) => {
        told_with! { $cast;
            certificates::an_administrator_is_given_the_whole_school,
            first::a_first_pull_brings_everything,
            first::a_first_push_brings_everything,
            first::where_nothing_is_new_nothing_moves,
            first::changes_on_both_sides_reach_the_other,
            first::a_filter_narrows_what_is_pulled,
            conflicts::what_both_changed_is_merged_and_the_loser_kept,
            conflicts::an_edit_and_a_deletion_of_one_record_end_in_the_deletion,
            deletions::a_deletion_pushed_takes_along_what_hangs_on_it,
            deletions::a_deletion_pulled_takes_along_what_hangs_on_it,
            deletions::a_hard_deletion_pushed_leaves_nothing_of_the_text,
            deletions::a_hard_deletion_pulled_leaves_nothing_of_the_text,
            deletions::a_membership_made_again_after_its_deletion_is_back_on_both_sides,
            trees::a_deep_tree_is_pulled_in_one_go,
            trees::a_deep_tree_is_pushed_in_one_go,
            samples::every_kind_of_field_travels_from_python_to_us,
            samples::every_kind_of_field_travels_from_us_to_python,
            single_user::only_what_is_a_learners_own_travels,
            dialects::a_school_lives_on_both_sides,
        }
    };
}

/// The same, and what is told only where it is Python that answers.
macro_rules! stories_of_understanding_a_server {
    ($cast:expr) => {
        stories_of_understanding!($cast);
        told_with! { $cast;
            resume::what_a_push_that_was_given_up_did_not_bring_comes_with_the_next,
        }
    };
}

/// Tells the same in fewer stories, where what differs is only a database.
macro_rules! stories_in_short {
    ($cast:expr) => {
        told_with! { $cast;
            certificates::an_administrator_is_given_the_whole_school,
            first::a_first_pull_brings_everything,
            first::a_first_push_brings_everything,
            first::where_nothing_is_new_nothing_moves,
            first::changes_on_both_sides_reach_the_other,
            first::a_filter_narrows_what_is_pulled,
            conflicts::what_both_changed_is_merged_and_the_loser_kept,
            deletions::a_deletion_pushed_takes_along_what_hangs_on_it,
            deletions::a_hard_deletion_pulled_leaves_nothing_of_the_text,
            dialects::a_school_lives_on_both_sides,
        }
    };
}

/// Tells with a Python peer that calls without saying what it has, so that more moves than is new.
macro_rules! stories_of_a_caller_without_counters {
    ($cast:expr) => {
        told_with! { $cast;
            certificates::an_administrator_is_given_the_whole_school,
            first::a_first_pull_brings_everything,
            first::a_first_push_brings_everything,
            trees::a_deep_tree_is_pulled_in_one_go,
            trees::a_deep_tree_is_pushed_in_one_go,
            deletions::a_hard_deletion_pushed_leaves_nothing_of_the_text,
            dialects::a_school_lives_on_both_sides,
        }
    };
}

macro_rules! told_with {
    ($cast:expr; $($room:ident::$story:ident,)+) => {$(
        #[test]
        fn $story() {
            crate::python::$room::$story($cast);
        }
    )+};
}

/// One module for each kind of other side, with the stories that are told there. Its name is read by `cargo xtask test`.
macro_rules! casts {
    ($caller:ident, $ours:ident; $($other:ident = $theirs:expr => $stories:ident,)+) => {$(
        mod $other {
            use morango_tests::database::Database;
            use morango_tests::python::Kind;

            use crate::python::meeting::{Caller, Cast};

            const CAST: Cast = Cast { caller: Caller::$caller, ours: Database::$ours, theirs: $theirs };

            $stories!(CAST);
        }
    )+};
}

/// The other sides whose version or dialect is not today's; which stories are told with most of them, and with those that, as
/// callers, say nothing of what they have.
macro_rules! old_casts {
    ($caller:ident, $ours:ident, $stories:ident, $silent:ident) => {
        casts! { $caller, $ours;
            python_0_8_2_on_sqlite = Kind::on(Database::Sqlite).of_version("0.8.2") => $stories,
            python_0_7_1_on_sqlite = Kind::on(Database::Sqlite).of_version("0.7.1") => $stories,
            python_0_6_19_on_sqlite = Kind::on(Database::Sqlite).of_version("0.6.19") => $stories,
            python_0_6_7_on_sqlite = Kind::on(Database::Sqlite).of_version("0.6.7") => $stories,
            python_0_5_6_on_sqlite = Kind::on(Database::Sqlite).of_version("0.5.6") => $stories,
            python_0_8_15_without_fsic_v2_format_on_sqlite =
                Kind::on(Database::Sqlite).without(crate::python::FSIC_V2_FORMAT) => $stories,
            python_0_8_15_without_async_operations_on_sqlite =
                Kind::on(Database::Sqlite).without(crate::python::ASYNC_OPERATIONS) => $silent,
            python_0_8_15_without_gzip_buffer_post_on_sqlite =
                Kind::on(Database::Sqlite).without(crate::python::GZIP_BUFFER_POST) => $stories,
            python_0_8_15_without_fsic_v2_format_and_async_operations_and_gzip_buffer_post_on_sqlite =
                Kind::on(Database::Sqlite).without(crate::python::ALL) => $silent,
        }
    };
}

const FSIC_V2_FORMAT: &[Capability] = &[Capability::FsicV2Format];
const ASYNC_OPERATIONS: &[Capability] = &[Capability::AsyncOperations];
const GZIP_BUFFER_POST: &[Capability] = &[Capability::GzipBufferPost];
const ALL: &[Capability] = &[Capability::FsicV2Format, Capability::AsyncOperations, Capability::GzipBufferPost];

mod rust_is_client {
    mod on_sqlite {
        casts! { Rust, Sqlite;
            python_0_8_15_on_sqlite = Kind::on(Database::Sqlite) => stories_of_a_server_on_a_file,
            python_0_8_15_on_postgres = Kind::on(Database::Postgres) => stories_of_a_server,
            python_0_7_1_on_postgres = Kind::on(Database::Postgres).of_version("0.7.1") => stories_in_short,
            python_0_5_6_on_postgres = Kind::on(Database::Postgres).of_version("0.5.6") => stories_in_short,
        }
        old_casts!(Rust, Sqlite, stories_of_understanding_a_server, stories_of_understanding_a_server);
    }

    mod on_postgres {
        casts! { Rust, Postgres;
            python_0_8_15_on_sqlite = Kind::on(Database::Sqlite) => stories_of_a_server_on_a_file,
            python_0_8_15_on_postgres = Kind::on(Database::Postgres) => stories_of_a_server,
        }
        old_casts!(Rust, Postgres, stories_in_short, stories_in_short);
    }
}

mod python_is_client {
    mod on_sqlite {
        casts! { Python, Sqlite;
            python_0_8_15_on_sqlite = Kind::on(Database::Sqlite) => stories_of_a_caller_on_a_file,
            python_0_8_15_on_postgres = Kind::on(Database::Postgres) => stories,
            python_0_7_1_on_postgres = Kind::on(Database::Postgres).of_version("0.7.1") => stories_in_short,
            python_0_5_6_on_postgres = Kind::on(Database::Postgres).of_version("0.5.6") => stories_in_short,
        }
        old_casts!(Python, Sqlite, stories_of_understanding, stories_of_a_caller_without_counters);
    }

    mod on_postgres {
        casts! { Python, Postgres;
            python_0_8_15_on_sqlite = Kind::on(Database::Sqlite) => stories_of_a_caller_on_a_file,
            python_0_8_15_on_postgres = Kind::on(Database::Postgres) => stories,
        }
        old_casts!(Python, Postgres, stories_in_short, stories_of_a_caller_without_counters);
    }
}
