//! The application's tables in memory, which refuse what real ones refuse.

use morango_examples::school::{Assignment, Classroom, ContentLog, Dataset, Facility, Feedback, Membership, User};
use morango_memory::{MemoryModel, OnDelete};

use super::{OldAssignment, OldLog, Strictness, Version};

/// The tables of a version, with the constraints that the real ones have.
pub(crate) fn memory_models(version: Version, strictness: Strictness) -> Vec<MemoryModel> {
    let cascades = |model: MemoryModel, columns: &[&'static str]| {
        columns.iter().fold(model, |model, column| model.references(column, OnDelete::Cascade))
    };
    let mut user = cascades(MemoryModel::of::<User>(), &["dataset_id"]);
    if strictness == Strictness::Strict {
        user = user.unique(["dataset_id", "username"]);
    }
    let of_user = ["dataset_id", "user_id"];
    let mut models = vec![
        MemoryModel::of::<Dataset>(),
        cascades(MemoryModel::of::<Facility>(), &["dataset_id"]),
        cascades(MemoryModel::of::<Classroom>(), &["dataset_id", "facility_id", "parent_id"]),
        user,
        cascades(MemoryModel::of::<Membership>(), &["dataset_id", "user_id", "classroom_id"]),
    ];
    models.extend(match version {
        Version::New => vec![
            cascades(MemoryModel::of::<Assignment>(), &of_user),
            cascades(MemoryModel::of::<ContentLog>(), &of_user),
            cascades(MemoryModel::of::<Feedback>(), &of_user),
        ],
        Version::Old => vec![
            cascades(MemoryModel::of::<OldAssignment>(), &of_user),
            cascades(MemoryModel::of::<OldLog>(), &of_user),
        ],
    });
    models
}
