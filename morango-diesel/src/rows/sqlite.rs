//! Rows on SQLite: the models that are registered for it, and the macro by which they are.
//!
//! A sibling for another database has the same items in the same order.

#[cfg(feature = "sqlite")]
use super::table_model::TableModel;

/// A model whose rows are in a SQLite database.
#[cfg(feature = "sqlite")]
pub type SqliteModel = TableModel<diesel::SqliteConnection>;

#[cfg(feature = "sqlite")]
inventory::collect!(SqliteModel);

/// Implements `Rows<SqliteConnection>` for a model and registers its [`SqliteModel`].
#[cfg(feature = "sqlite")]
#[doc(hidden)]
#[macro_export]
macro_rules! __sqlite_rows {
    (model = $model:ty, $($rest:tt)*) => {
        $crate::__typed_rows! {
            connection = $crate::__private::diesel::SqliteConnection,
            hold = [],
            many = one_by_one,
            model = $model,
            $($rest)*
        }
        $crate::__private::inventory::submit! { $crate::SqliteModel::of::<$model>() }
    };
}

/// SQLite is switched off: its rows vanish.
#[cfg(not(feature = "sqlite"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __sqlite_rows {
    ($($model:tt)*) => {};
}
