//! The rows of one model in one kind of database, with their type.

use diesel::result::QueryResult;
use morango::id::SyncId;
use morango::model::Model;

/// Rows that are looked at of those that hold the same as another.
pub const RIVALS_MAX: i64 = 100;

/// Rows that one statement writes where there are as many.
pub const ROWS_MANY: usize = 250;

/// Rows that one statement writes where there are fewer.
pub const ROWS_FEW: usize = 25;

/// What can be done with a model's rows over a connection of type `C`.
///
/// It is implemented by `#[derive(Syncable)]`, once for each database that `morango-diesel` is built for. None of it
/// touches our own tables: whoever creates a row uses [`Syncable::create`](super::Syncable::create) instead.
#[diagnostic::on_unimplemented(
    message = "the rows of `{Self}` cannot be kept over a `{C}`",
    label = "no rows of this type over this connection",
    note = "switch on the feature of `morango-diesel` for this database, and derive `morango_diesel::Syncable`"
)]
pub trait Rows<C>: Model {
    /// The rows with these ids, in any order; an id without a row gives none.
    ///
    /// One statement takes them all, so the caller bounds their number.
    ///
    /// # Errors
    /// The database's. One row whose columns cannot be read fails the whole call.
    fn load_all(connection: &mut C, ids: &[SyncId]) -> QueryResult<Vec<Self>>;

    /// The row with this id, where there is one.
    ///
    /// # Errors
    /// The database's, or a column that cannot be read.
    fn load_one(connection: &mut C, id: &SyncId) -> QueryResult<Option<Self>>;

    /// Inserts the row, with the id that it carries.
    ///
    /// # Errors
    /// The database's: a row with this id is there already, or another constraint of the table does not hold.
    fn insert(&self, connection: &mut C) -> QueryResult<()>;

    /// Inserts the row, or makes the one that is there the same: every column that travels is set, also those that hold
    /// nothing. Columns that stay at home (`#[morango(skip)]`) are set on insertion only.
    ///
    /// It says how many rows that were, 1 or 0: a trigger of the application may have kept the row from being written, or the
    /// model has no column to set.
    ///
    /// # Errors
    /// The database's: a constraint of the table does not hold.
    fn upsert(&self, connection: &mut C) -> QueryResult<usize>;

    /// Does to all of these rows what [`Rows::upsert`] does to one, in as few statements as the database allows, and says how many
    /// rows that were. No two of them have the same id.
    ///
    /// # Errors
    /// The database's. Those that come before the one it is about may be written.
    fn upsert_all(rows: &[Self], connection: &mut C) -> QueryResult<usize> {
        rows.iter().try_fold(0, |written, row| Ok(written + row.upsert(connection)?))
    }

    /// Keeps others from changing or deleting the rows with these ids until the transaction ends, where others can write
    /// meanwhile. An id without a row is passed over.
    ///
    /// One statement takes them all, so the caller bounds their number.
    ///
    /// # Errors
    /// The database's: in a transaction that sees one moment only, also where one of these rows was changed or deleted since.
    fn hold(connection: &mut C, ids: &[SyncId]) -> QueryResult<()>;

    /// The ids of other rows that hold the same as this one in all of these columns, some of them where there are many.
    /// Columns that the model does not have are passed over.
    ///
    /// # Errors
    /// The database's.
    fn rivals(&self, connection: &mut C, columns: &[&str]) -> QueryResult<Vec<SyncId>>;

    /// Deletes the row with this id and says how many that were, 0 or 1; cascades are not counted.
    ///
    /// # Errors
    /// The database's: another row still points here.
    fn delete(connection: &mut C, id: &SyncId) -> QueryResult<usize>;
}

/// Implements [`Rows`] for a model over one kind of connection. Every column stands with the field that it belongs to.
///
/// Each database's `__…_rows!` calls it.
#[doc(hidden)]
#[macro_export]
macro_rules! __typed_rows {
    (
        connection = $connection:ty,
        hold = [$($hold:ident)?],
        many = $many:ident,
        model = $model:ty,
        table = $table:path,
        id = $id:path,
        columns = [$($column:path => $field:ident),+ $(,)?] $(,)?
    ) => {
        impl $crate::Rows<$connection> for $model {
            fn load_all(
                connection: &mut $connection,
                ids: &[$crate::__private::morango::id::SyncId],
            ) -> $crate::__private::diesel::result::QueryResult<::std::vec::Vec<Self>> {
                use $crate::__private::diesel::prelude::*;
                $table.filter($id.eq_any(ids)).select(<Self as SelectableHelper<_>>::as_select()).load(connection)
            }

            fn load_one(
                connection: &mut $connection,
                id: &$crate::__private::morango::id::SyncId,
            ) -> $crate::__private::diesel::result::QueryResult<::std::option::Option<Self>> {
                use $crate::__private::diesel::prelude::*;
                $table.filter($id.eq(id)).select(<Self as SelectableHelper<_>>::as_select()).first(connection).optional()
            }

            fn insert(&self, connection: &mut $connection) -> $crate::__private::diesel::result::QueryResult<()> {
                use $crate::__private::diesel::prelude::*;
                let insertion = $crate::__private::diesel::insert_into($table).values(($($column.eq($crate::sql_types::held(&self.$field)),)+));
                $crate::__private::Insert::<Self, _>::new(insertion).execute(connection).map(|_| ())
            }

            fn upsert(&self, connection: &mut $connection) -> $crate::__private::diesel::result::QueryResult<usize> {
                use $crate::__private::diesel::prelude::*;
                let insertion = $crate::__private::diesel::insert_into($table).values(($($column.eq($crate::sql_types::held(&self.$field)),)+));
                $crate::__private::Upsert::<Self, _, 1>::new(insertion).execute(connection)
            }

            $crate::__upsert_all! {
                many = $many,
                connection = $connection,
                model = $model,
                table = $table,
                columns = [$($column => $field),+],
            }

            fn hold(
                connection: &mut $connection,
                ids: &[$crate::__private::morango::id::SyncId],
            ) -> $crate::__private::diesel::result::QueryResult<()> {
                let _ = (&connection, ids);
                $(
                    use $crate::__private::diesel::prelude::*;
                    let held = $table.filter($id.eq_any(ids)).select($id).$hold();
                    held.load::<$crate::__private::morango::id::SyncId>(connection)?;
                )?
                Ok(())
            }

            fn rivals(
                &self,
                connection: &mut $connection,
                columns: &[&str],
            ) -> $crate::__private::diesel::result::QueryResult<
                ::std::vec::Vec<$crate::__private::morango::id::SyncId>,
            > {
                use $crate::__private::diesel::prelude::*;
                let id = $crate::__private::morango::model::Model::id(self);
                let mut rivals = $table.select($id).filter($id.ne(id)).limit($crate::__private::RIVALS_MAX).into_boxed();
                $(
                    if columns.iter().any(|name| name.eq_ignore_ascii_case(<$column as Column>::NAME)) {
                        rivals = rivals.filter($column.eq($crate::sql_types::held(&self.$field)));
                    }
                )+
                rivals.load(connection)
            }

            fn delete(
                connection: &mut $connection,
                id: &$crate::__private::morango::id::SyncId,
            ) -> $crate::__private::diesel::result::QueryResult<usize> {
                use $crate::__private::diesel::prelude::*;
                $crate::__private::diesel::delete($table.filter($id.eq(id))).execute(connection)
            }
        }
    };
}

/// Implements [`Rows::upsert_all`] for a model where many rows fit into one statement; elsewhere it stays as it is.
#[doc(hidden)]
#[macro_export]
macro_rules! __upsert_all {
    (
        many = one_by_one,
        connection = $connection:ty,
        model = $model:ty,
        table = $table:path,
        columns = [$($column:path => $field:ident),+ $(,)?] $(,)?
    ) => {};
    (
        many = together,
        connection = $connection:ty,
        model = $model:ty,
        table = $table:path,
        columns = [$($column:path => $field:ident),+ $(,)?] $(,)?
    ) => {
        fn upsert_all(
            rows: &[Self],
            connection: &mut $connection,
        ) -> $crate::__private::diesel::result::QueryResult<usize> {
            fn upsert_many<const ROWS: usize>(
                rows: &[$model; ROWS],
                connection: &mut $connection,
            ) -> $crate::__private::diesel::result::QueryResult<usize> {
                use $crate::__private::diesel::prelude::*;
                let rows = rows.each_ref().map(|row| ($($column.eq($crate::sql_types::held(&row.$field)),)+));
                let insertion = $crate::__private::diesel::insert_into($table).values(rows);
                $crate::__private::Upsert::<$model, _, ROWS>::new(insertion).execute(connection)
            }

            // Each number of rows is a statement of its own, which stays prepared.
            let mut rest = rows;
            let mut written = 0;
            while let ::std::option::Option::Some((rows, others)) = rest.split_first_chunk::<{ $crate::__private::ROWS_MANY }>() {
                written += upsert_many(rows, connection)?;
                rest = others;
            }
            while let ::std::option::Option::Some((rows, others)) = rest.split_first_chunk::<{ $crate::__private::ROWS_FEW }>() {
                written += upsert_many(rows, connection)?;
                rest = others;
            }
            for row in rest {
                written += row.upsert(connection)?;
            }
            ::std::result::Result::Ok(written)
        }
    };
}
