//! What is asked of a database and what it answers, in the terms that all of them share.

use morango::scope::Filter;

/// Which of all files is at a place, whatever its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Occupant {
    /// The file system that it is on.
    pub(crate) device: u64,
    /// Its number there.
    pub(crate) number: u64,
}

/// What a commit promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// It is on the disk when the commit returns, with everything that was committed before: for the end of all that raises a counter,
    /// before anything of it leaves, and for what a peer builds upon.
    Durable,
    /// It survives the program, and a power failure takes it back together with everything after it, or not at all:
    /// for what can be fetched again from where it stopped, and for the parts of a long stage.
    Buffered,
}

/// What a write transaction asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Transaction<'a> {
    /// What its commit promises.
    pub(crate) durability: Durability,
    /// From whom it is kept apart.
    pub(crate) lock: Lock<'a>,
}

/// From which other transactions one is kept apart, where several may write at one time.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(not(feature = "postgres"), expect(dead_code, reason = "on SQLite one writer keeps all others out"))]
pub(crate) enum Lock<'a> {
    /// From none: single statements, or rows that it locks itself.
    None,
    /// From all that bring the engine's own tables up to date, or say which instance this is.
    Setup,
    /// From all stages that write records of the profile.
    Profile {
        /// The profile.
        profile: &'a str,
    },
    /// From all stages that write records of the profile; and it writes rows of the application, as below.
    ProfileAndRows {
        /// The profile.
        profile: &'a str,
    },
    /// As [`Lock::ProfileAndRows`]; and nobody opens a sync session until it ends.
    Forgetting {
        /// The profile.
        profile: &'a str,
    },
    /// From those that ask for [`Lock::Profile`]; it adds records and changes none.
    Beside {
        /// The profile.
        profile: &'a str,
    },
    /// From stages that write records of the same root partitions, not from others that only read them.
    Reading {
        /// The profile.
        profile: &'a str,
        /// Its prefixes begin with the root partitions.
        filter: &'a Filter,
    },
    /// From stages that read or write records of the same root partitions.
    Partitions {
        /// The profile.
        profile: &'a str,
        /// Its prefixes begin with the root partitions.
        filter: &'a Filter,
    },
    /// From none; but it writes rows of the application, as below.
    Rows,
    /// From stages that read or write records of the same root partitions; and it writes rows of the application, which must be as they were when the transaction began: where one changed
    /// since, the transaction is refused and run again.
    PartitionsAndRows {
        /// The profile.
        profile: &'a str,
        /// Its prefixes begin with the root partitions.
        filter: &'a Filter,
    },
}

impl Lock<'_> {
    /// Whether everything that the transaction reads must be of one moment.
    pub(crate) fn sees_one_state(&self) -> bool {
        matches!(
            self,
            Self::Rows | Self::ProfileAndRows { .. } | Self::Forgetting { .. } | Self::PartitionsAndRows { .. }
        )
    }
}

/// What change capture does with the changes of one transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Capture {
    /// Changes are marked.
    On,
    /// The engine itself writes rows: nothing is marked.
    Off,
    /// Changes are marked, and deletions as hard ones.
    Hard,
    /// The engine deletes a row, and what goes with it is to be found: changes are traced, which is marking under the negative
    /// number of their model, with deletions as hard ones. Whoever switches this on takes the traces away again.
    Trace,
}

/// What there was to fold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Folded {
    /// Nothing: all changes are marks.
    Nothing,
    /// Changes, and there may be more of them.
    Some,
}

/// What is found under the name of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Table {
    /// A table with these columns.
    Columns(Vec<Column>),
    /// A view, whose changes nobody can capture.
    View,
    /// A table with rows in other tables, or whose rows are another's too: those change without its triggers.
    #[cfg_attr(not(feature = "postgres"), expect(dead_code, reason = "only PostgreSQL has such tables"))]
    Divided,
    /// Nothing.
    Missing,
}

/// A column of one of the application's tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    /// Its name.
    pub(crate) name: String,
    /// Whether it is in the primary key.
    pub(crate) is_in_key: bool,
    /// In which form it would have an id.
    pub(crate) id_form: IdForm,
}

/// In which form a column has the ids of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(feature = "postgres"), expect(dead_code, reason = "on SQLite each row may have another form"))]
pub(crate) enum IdForm {
    /// PostgreSQL's own type for 128 bits.
    Uuid,
    /// 16 bytes.
    Bytes,
    /// 32 digits.
    Text,
    /// Whatever each row has there.
    Other,
}

/// Columns whose values, together, may stand in one row only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UniqueKey {
    /// The columns, without expressions.
    pub(crate) columns: Vec<UniqueColumn>,
    /// Whether no two rows whatever may hold the same in these columns. Otherwise more than these columns decide.
    pub(crate) is_exact: bool,
}

/// A column of a [`UniqueKey`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UniqueColumn {
    /// Its name.
    pub(crate) name: String,
    /// What it may hold for a moment, the most harmless first.
    pub(crate) stopgaps: Vec<Stopgap>,
}

/// What a column holds within a transaction while its value goes to another row and its next one is not free yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stopgap {
    /// Null.
    Nothing,
    /// A text that no other row has.
    RandomText,
    /// Bytes that no other row has.
    RandomBytes,
    /// What comes after the greatest of all values.
    BeyondTheLast,
    /// What comes before the least of all values.
    BeforeTheFirst,
    /// An id that no other row has.
    #[cfg(feature = "postgres")]
    RandomId,
    /// A moment after the last of all.
    #[cfg(feature = "postgres")]
    AfterTheLast,
}

/// What is checked at the commit alone, as it stood before somebody's work.
#[derive(Debug, Clone)]
pub(crate) enum Deferred {
    /// So many rows of this table, and of those that point at it, point at no row.
    #[cfg(feature = "sqlite")]
    Violations { table: &'static str, rows: i64 },
    /// Nothing violates the constraints of these names in SQL.
    #[cfg(feature = "postgres")]
    Constraints(String),
}
