//! Rows on PostgreSQL: the models that are registered for it, and the macro by which they are.
//!
//! A sibling for another database has the same items in the same order.

#[cfg(feature = "postgres")]
use super::table_model::TableModel;

/// A model whose rows are in a PostgreSQL database.
#[cfg(feature = "postgres")]
pub type PostgresModel = TableModel<diesel::PgConnection>;

#[cfg(feature = "postgres")]
inventory::collect!(PostgresModel);

/// Implements `Rows<PgConnection>` for a model and registers its [`PostgresModel`].
#[cfg(feature = "postgres")]
#[doc(hidden)]
#[macro_export]
macro_rules! __postgres_rows {
    (model = $model:ty, $($rest:tt)*) => {
        $crate::__typed_rows! {
            connection = $crate::__private::diesel::PgConnection,
            hold = [for_no_key_update],
            many = together,
            model = $model,
            $($rest)*
        }
        $crate::__private::inventory::submit! { $crate::PostgresModel::of::<$model>() }
    };
}

/// PostgreSQL is switched off: its rows vanish.
#[cfg(not(feature = "postgres"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __postgres_rows {
    ($($model:tt)*) => {};
}
