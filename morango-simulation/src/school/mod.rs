//! The application: the school of the examples, in two versions and with tables of two strictnesses.
//!
//! The old version lacks fields and a model that the new one has. Strict tables refuse rows that others take.

mod models;
mod old;
mod tables;

use std::sync::{Arc, LazyLock};

use morango::model::Registry;
use morango::scope::ScopeDefinitionSource;
use morango_examples::school::{Assignment, Classroom, ContentLog, Dataset, Facility, Feedback, Membership, User};

use crate::plan::Kind;

pub(crate) use models::memory_models;
pub(crate) use old::{OldAssignment, OldLog};
pub(crate) use tables::{make_postgres_tables, make_sqlite_tables};

/// Which version of the application a device has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    New,
    Old,
}

/// Whether a device's tables refuse what others take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strictness {
    Plain,
    Strict,
}

impl Version {
    /// Whether this version has the model.
    pub(crate) fn has(self, kind: Kind) -> bool {
        !(self == Self::Old && kind == Kind::Feedback)
    }

    /// The models and scopes of this version.
    pub(crate) fn registry(self) -> Arc<Registry> {
        static NEW: LazyLock<Arc<Registry>> = LazyLock::new(|| {
            let builder = common().model::<Assignment>().model::<ContentLog>().model::<Feedback>();
            Arc::new(builder.build().expect("the school's models fit each other"))
        });
        static OLD: LazyLock<Arc<Registry>> = LazyLock::new(|| {
            let builder = common().model::<OldAssignment>().model::<OldLog>();
            Arc::new(builder.build().expect("the old school's models fit each other"))
        });
        match self {
            Self::New => Arc::clone(&NEW),
            Self::Old => Arc::clone(&OLD),
        }
    }
}

fn common() -> morango::model::RegistryBuilder {
    let models = Registry::builder()
        .model::<Dataset>()
        .model::<Facility>()
        .model::<Classroom>()
        .model::<User>()
        .model::<Membership>();
    inventory::iter::<ScopeDefinitionSource>.into_iter().fold(models, morango::model::RegistryBuilder::scope)
}

impl Kind {
    /// The model's name on the wire, which is its table's.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Facility => "facility",
            Self::Classroom => "classroom",
            Self::User => "user",
            Self::Membership => "membership",
            Self::Assignment => "assignment",
            Self::Log => "contentlog",
            Self::Feedback => "feedback",
        }
    }

    /// The column whose text says which edit was the last; a membership has none.
    pub(crate) fn text_column(self) -> Option<&'static str> {
        match self {
            Self::Facility | Self::Classroom => Some("name"),
            Self::User => Some("full_name"),
            Self::Membership => None,
            Self::Assignment => Some("title"),
            Self::Log => Some("content"),
            Self::Feedback => Some("text"),
        }
    }
}

/// Does something with the row type that a kind has in a version.
macro_rules! with_model {
    ($kind:expr, $version:expr, $row:ident => $work:expr) => {{
        use crate::plan::Kind;
        use crate::school::{OldAssignment, OldLog, Version};
        use morango_examples::school as new;
        match ($kind, $version) {
            (Kind::Facility, _) => {
                type $row = new::Facility;
                $work
            }
            (Kind::Classroom, _) => {
                type $row = new::Classroom;
                $work
            }
            (Kind::User, _) => {
                type $row = new::User;
                $work
            }
            (Kind::Membership, _) => {
                type $row = new::Membership;
                $work
            }
            (Kind::Assignment, Version::New) => {
                type $row = new::Assignment;
                $work
            }
            (Kind::Assignment, Version::Old) => {
                type $row = OldAssignment;
                $work
            }
            (Kind::Log, Version::New) => {
                type $row = new::ContentLog;
                $work
            }
            (Kind::Log, Version::Old) => {
                type $row = OldLog;
                $work
            }
            (Kind::Feedback, _) => {
                type $row = new::Feedback;
                $work
            }
        }
    }};
}
pub(crate) use with_model;
