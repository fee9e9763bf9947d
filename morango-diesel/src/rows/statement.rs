//! Insertions that stay prepared.
//!
//! Diesel prepares every `ON CONFLICT … DO UPDATE` anew, because in general its text hangs on the values. Ours does not:
//! all columns are named, always. So the insertion itself is Diesel's, and these two fragments around it say that its text
//! is that of the model and of the number of rows, and add what is to happen where the row is there already.

use std::marker::PhantomData;

use diesel::backend::Backend;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::query_dsl::RunQueryDsl;
use diesel::result::QueryResult;
use morango::model::Model;

/// The insertion of one row of model `M`.
#[derive(Debug)]
pub struct Insert<M, I> {
    insertion: I,
    model: PhantomData<fn() -> M>,
}

/// The insertion of so many rows of model `M`, which makes rows with the same ids the same.
#[derive(Debug)]
pub struct Upsert<M, I, const ROWS: usize> {
    insertion: I,
    model: PhantomData<fn() -> M>,
}

impl<M: Model, I> Insert<M, I> {
    /// `insertion` names every column of the model, whatever the row holds.
    pub const fn new(insertion: I) -> Self {
        Self { insertion, model: PhantomData }
    }
}

impl<M: Model, I, const ROWS: usize> Upsert<M, I, ROWS> {
    /// `insertion` is of so many rows and names every column of the model, whatever the row holds.
    pub const fn new(insertion: I) -> Self {
        Self { insertion, model: PhantomData }
    }
}

impl<M: Model, I, Db: Backend> QueryFragment<Db> for Insert<M, I>
where
    I: QueryFragment<Db>,
{
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, Db>) -> QueryResult<()> {
        self.insertion.walk_ast(out)
    }
}

impl<M: Model, I, Db: Backend, const ROWS: usize> QueryFragment<Db> for Upsert<M, I, ROWS>
where
    I: QueryFragment<Db>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Db>) -> QueryResult<()> {
        let definition = M::definition();
        self.insertion.walk_ast(out.reborrow())?;
        out.push_sql(" ON CONFLICT (");
        out.push_identifier(definition.id_column)?;
        out.push_sql(") DO ");
        let mut before = "UPDATE SET ";
        for field in definition.fields.iter().filter(|field| !field.is_skipped) {
            out.push_sql(before);
            out.push_identifier(field.column)?;
            out.push_sql(" = excluded.");
            out.push_identifier(field.column)?;
            before = ", ";
        }
        if before != ", " {
            out.push_sql("NOTHING");
        }
        Ok(())
    }
}

impl<M: Model, I> QueryId for Insert<M, I> {
    type QueryId = Insert<M, ()>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl<M: Model, I, const ROWS: usize> QueryId for Upsert<M, I, ROWS> {
    type QueryId = Upsert<M, (), ROWS>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl<M, I, C> RunQueryDsl<C> for Insert<M, I> {}

impl<M, I, C, const ROWS: usize> RunQueryDsl<C> for Upsert<M, I, ROWS> {}
