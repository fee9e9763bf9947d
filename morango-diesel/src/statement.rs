//! A statement is a value: text, identifiers and bound values, rendered and bound by Diesel in their order.
//!
//! This is the narrow waist through which all SQL of our own goes. It knows no table and no database: Diesel writes the
//! placeholders and the quotes of each. A value is always bound, never written into the text (but for the number of rows at which one
//! ends), so the text depends on the code alone and Diesel keeps the statement prepared (which it never does for `diesel::sql_query`).

use std::borrow::Cow;
use std::marker::PhantomData;
use std::ops::ControlFlow;

use diesel::backend::Backend;
#[cfg(feature = "sqlite")]
use diesel::connection::DefaultLoadingMode;
use diesel::connection::{Connection as _, LoadConnection};
use diesel::deserialize::{self, FromSqlRow};
#[cfg(feature = "postgres")]
use diesel::pg::{Pg, PgRowByRowLoadingMode};
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::result::{Error as DieselError, QueryResult};
use diesel::serialize::ToSql;
#[cfg(feature = "postgres")]
use diesel::sql_types::{Array, Uuid};
use diesel::sql_types::{BigInt, Binary, Double, HasSqlType, Nullable, Text, Untyped};
#[cfg(feature = "sqlite")]
use diesel::sqlite::Sqlite;
use morango::id::SyncId;
use morango::scope::prefix_upper_bound;

use crate::connection::Connection;
use crate::value::{Many, Value};

/// A statement that returns rows of the SQL types `Row`, or none.
///
/// ```text
/// sql("SELECT counter, partition FROM morango_store WHERE record_id = ").bind(id).returns::<(BigInt, Text)>()
///     .load::<(i64, String)>(connection)?
/// ```
#[derive(Debug, Clone)]
#[must_use = "a statement does nothing until it is executed or loaded"]
pub(crate) struct Statement<'a, Row = Untyped> {
    parts: Vec<Part<'a>>,
    row: PhantomData<fn() -> Row>,
}

/// The beginning of a statement.
pub(crate) fn sql<'a>(text: impl Into<Cow<'a, str>>) -> Statement<'a> {
    Statement { parts: Vec::with_capacity(8), row: PhantomData }.sql(text)
}

/// What a statement is made of.
#[derive(Debug, Clone)]
enum Part<'a> {
    Sql(Cow<'a, str>),
    Identifier(Cow<'a, str>),
    Value(Value<'a>),
    ForUpdate,
    ForUpdateUnlocked,
}

impl<'a, Row> Statement<'a, Row> {
    /// Adds text.
    pub(crate) fn sql(mut self, text: impl Into<Cow<'a, str>>) -> Self {
        self.parts.push(Part::Sql(text.into()));
        self
    }

    /// Adds the name of a table or column that is known at run time only, in the quotes of the database.
    pub(crate) fn identifier(mut self, name: impl Into<Cow<'a, str>>) -> Self {
        self.parts.push(Part::Identifier(name.into()));
        self
    }

    /// Adds a bound value.
    pub(crate) fn bind(mut self, value: impl Into<Value<'a>>) -> Self {
        self.parts.push(Part::Value(value.into()));
        self
    }

    /// Adds bound values between commas.
    pub(crate) fn bind_all<V: Into<Value<'a>>>(mut self, values: impl IntoIterator<Item = V>) -> Self {
        for (position, value) in values.into_iter().enumerate() {
            if position > 0 {
                self = self.sql(", ");
            }
            self = self.bind(value);
        }
        self
    }

    /// Ends the rows after so many.
    ///
    /// The number is part of the text: SQLite plans by it, and where it is bound the statement is prepared anew each time that it runs.
    /// So there is a statement for each number, and there should be few.
    pub(crate) fn limit(self, rows: usize) -> Self {
        let rows = i64::try_from(rows).unwrap_or(i64::MAX);
        self.sql(format!(" LIMIT {rows}"))
    }

    /// Adds the condition that a column starts with a prefix: the one place where prefixes are matched.
    ///
    /// It is a half-open range on a column whose collation is that of its bytes, so an index serves it, no character is a
    /// wildcard, and upper and lower case differ.
    pub(crate) fn starts_with(self, column: &'static str, prefix: &'a str) -> Self {
        let from = self.sql("(").sql(column).sql(" >= ").bind(prefix);
        match prefix_upper_bound(prefix) {
            Some(bound) => from.sql(" AND ").sql(column).sql(" < ").bind(bound).sql(")"),
            None => from.sql(")"),
        }
    }

    /// Has the rows that are read stay as they are until the transaction ends: they are about to be changed.
    pub(crate) fn for_update(mut self) -> Self {
        self.parts.push(Part::ForUpdate);
        self
    }

    /// The same, but passes over rows that somebody else is changing.
    pub(crate) fn for_update_unlocked(mut self) -> Self {
        self.parts.push(Part::ForUpdateUnlocked);
        self
    }

    /// Says what the rows hold, in SQL types, by position.
    pub(crate) fn returns<Other>(self) -> Statement<'a, Other> {
        Statement { parts: self.parts, row: PhantomData }
    }
}

impl<Row> Statement<'_, Row> {
    /// Runs the statement and says how many rows it changed.
    pub(crate) fn execute(self, connection: &mut Connection<'_>) -> QueryResult<usize> {
        let rendered = Rendered(self.parts);
        match connection {
            #[cfg(feature = "sqlite")]
            Connection::Sqlite(connection) => connection.execute_returning_count(&rendered),
            #[cfg(feature = "postgres")]
            Connection::Postgres(connection) => connection.execute_returning_count(&rendered),
        }
    }

    /// Runs a statement whose text is the same each time, and says how many rows it changed. The type `Name` stands for the text: by
    /// it the prepared statement is found without the text being put together anew, which is much of what a small statement costs.
    ///
    /// The name is declared in the function that makes the statement, so that no other one can bear it.
    pub(crate) fn execute_as<Name: 'static>(self, connection: &mut Connection<'_>) -> QueryResult<usize> {
        let named = Named::<Name> { rendered: Rendered(self.parts), name: PhantomData };
        match connection {
            #[cfg(feature = "sqlite")]
            Connection::Sqlite(connection) => connection.execute_returning_count(&named),
            #[cfg(feature = "postgres")]
            Connection::Postgres(connection) => connection.execute_returning_count(&named),
        }
    }

    /// Runs the statement and hands over its rows, one after another, until it is told to stop.
    pub(crate) fn for_each<Loaded, Error>(
        self,
        connection: &mut Connection<'_>,
        each: impl FnMut(Loaded) -> Result<ControlFlow<()>, Error>,
    ) -> Result<(), Error>
    where
        Loaded: Loadable<Row>,
        Error: From<DieselError>,
    {
        let rendered = Rendered(self.parts);
        match connection {
            #[cfg(feature = "sqlite")]
            Connection::Sqlite(connection) => {
                let rows = LoadConnection::<DefaultLoadingMode>::load(*connection, rendered)?;
                hand_over(rows, <Loaded as FromSqlRow<Row, Sqlite>>::build_from_row, each)
            }
            // In the default mode Diesel has all rows in memory before it hands over the first.
            #[cfg(feature = "postgres")]
            Connection::Postgres(connection) => {
                let rows = LoadConnection::<PgRowByRowLoadingMode>::load(*connection, rendered)?;
                hand_over(rows, <Loaded as FromSqlRow<Row, Pg>>::build_from_row, each)
            }
        }
    }

    /// Runs the statement and gives all of its rows.
    pub(crate) fn load<Loaded: Loadable<Row>>(self, connection: &mut Connection<'_>) -> QueryResult<Vec<Loaded>> {
        let mut rows = Vec::new();
        self.for_each(connection, |row| {
            rows.push(row);
            Ok::<_, DieselError>(ControlFlow::Continue(()))
        })?;
        Ok(rows)
    }

    /// Runs the statement and gives its first row.
    ///
    /// # Errors
    /// The database's, or [`DieselError::NotFound`] where there is no row.
    pub(crate) fn get_result<Loaded: Loadable<Row>>(self, connection: &mut Connection<'_>) -> QueryResult<Loaded> {
        let mut first = None;
        self.for_each(connection, |row| {
            first = Some(row);
            Ok::<_, DieselError>(ControlFlow::Break(()))
        })?;
        first.ok_or(DieselError::NotFound)
    }
}

fn hand_over<DatabaseRow, Loaded, Error: From<DieselError>>(
    rows: impl Iterator<Item = QueryResult<DatabaseRow>>,
    build: impl Fn(&DatabaseRow) -> deserialize::Result<Loaded>,
    mut each: impl FnMut(Loaded) -> Result<ControlFlow<()>, Error>,
) -> Result<(), Error> {
    for row in rows {
        if each(build(&row?).map_err(DieselError::DeserializationError)?)?.is_break() {
            break;
        }
    }
    Ok(())
}

/// What a row of the SQL types `Row` can be read as, whichever database it comes from.
pub(crate) trait Loadable<Row>: LoadableFromSqlite<Row> + LoadableFromPostgres<Row> {}

impl<Row, Loaded: LoadableFromSqlite<Row> + LoadableFromPostgres<Row>> Loadable<Row> for Loaded {}

/// What a row can be read as if it comes from SQLite.
#[cfg(feature = "sqlite")]
pub(crate) trait LoadableFromSqlite<Row>: FromSqlRow<Row, Sqlite> {}

#[cfg(feature = "sqlite")]
impl<Row, Loaded: FromSqlRow<Row, Sqlite>> LoadableFromSqlite<Row> for Loaded {}

/// SQLite is switched off: no row comes from there.
#[cfg(not(feature = "sqlite"))]
pub(crate) trait LoadableFromSqlite<Row> {}

#[cfg(not(feature = "sqlite"))]
impl<Row, Loaded> LoadableFromSqlite<Row> for Loaded {}

/// What a row can be read as if it comes from PostgreSQL.
#[cfg(feature = "postgres")]
pub(crate) trait LoadableFromPostgres<Row>: FromSqlRow<Row, Pg> {}

#[cfg(feature = "postgres")]
impl<Row, Loaded: FromSqlRow<Row, Pg>> LoadableFromPostgres<Row> for Loaded {}

/// PostgreSQL is switched off: no row comes from there.
#[cfg(not(feature = "postgres"))]
pub(crate) trait LoadableFromPostgres<Row> {}

#[cfg(not(feature = "postgres"))]
impl<Row, Loaded> LoadableFromPostgres<Row> for Loaded {}

/// What differs between databases in how a value is bound.
trait Dialect: Backend {
    /// What is added to a query whose rows are to stay as they are until the transaction ends.
    const FOR_UPDATE: &'static str;

    /// The same, where rows that somebody else is changing are passed over.
    const FOR_UPDATE_UNLOCKED: &'static str;

    /// Binds an id of ours.
    fn bind_id<'b>(out: &mut AstPass<'_, 'b, Self>, id: &'b SyncId) -> QueryResult<()>;

    /// Binds no id.
    fn bind_no_id(out: &mut AstPass<'_, '_, Self>) -> QueryResult<()>;

    /// Binds a text that may hold any character.
    fn bind_content<'b>(out: &mut AstPass<'_, 'b, Self>, text: &'b str) -> QueryResult<()>;

    /// Binds no such text.
    fn bind_no_content(out: &mut AstPass<'_, '_, Self>) -> QueryResult<()>;

    /// Binds many values as one.
    fn bind_many<'b>(out: &mut AstPass<'_, 'b, Self>, many: &'b Many<'_>) -> QueryResult<()>;
}

/// Ids are bytes; a text may hold any character.
#[cfg(feature = "sqlite")]
impl Dialect for Sqlite {
    /// Nobody else writes.
    const FOR_UPDATE: &'static str = "";
    const FOR_UPDATE_UNLOCKED: &'static str = "";

    fn bind_id<'b>(out: &mut AstPass<'_, 'b, Self>, id: &'b SyncId) -> QueryResult<()> {
        out.push_bind_param::<Binary, SyncId>(id)
    }

    fn bind_no_id(out: &mut AstPass<'_, '_, Self>) -> QueryResult<()> {
        out.push_bind_param::<Nullable<Binary>, Option<SyncId>>(&None)
    }

    fn bind_content<'b>(out: &mut AstPass<'_, 'b, Self>, text: &'b str) -> QueryResult<()> {
        out.push_bind_param::<Text, str>(text)
    }

    fn bind_no_content(out: &mut AstPass<'_, '_, Self>) -> QueryResult<()> {
        out.push_bind_param::<Nullable<Text>, Option<String>>(&None)
    }

    fn bind_many<'b>(_: &mut AstPass<'_, 'b, Self>, _: &'b Many<'_>) -> QueryResult<()> {
        Err(DieselError::QueryBuilderError("SQLite takes the values of one row at a time".into()))
    }
}

/// Ids are of the type `uuid`. A text cannot hold the character of the number 0, so what may be any text is kept as the bytes
/// of its characters; both are the same when they are read.
#[cfg(feature = "postgres")]
impl Dialect for Pg {
    const FOR_UPDATE: &'static str = " FOR UPDATE";
    const FOR_UPDATE_UNLOCKED: &'static str = " FOR UPDATE SKIP LOCKED";

    fn bind_id<'b>(out: &mut AstPass<'_, 'b, Self>, id: &'b SyncId) -> QueryResult<()> {
        out.push_bind_param::<Uuid, SyncId>(id)
    }

    fn bind_no_id(out: &mut AstPass<'_, '_, Self>) -> QueryResult<()> {
        out.push_bind_param::<Nullable<Uuid>, Option<SyncId>>(&None)
    }

    fn bind_content<'b>(out: &mut AstPass<'_, 'b, Self>, text: &'b str) -> QueryResult<()> {
        out.push_bind_param::<Binary, [u8]>(text.as_bytes())
    }

    fn bind_no_content(out: &mut AstPass<'_, '_, Self>) -> QueryResult<()> {
        out.push_bind_param::<Nullable<Binary>, Option<Vec<u8>>>(&None)
    }

    fn bind_many<'b>(out: &mut AstPass<'_, 'b, Self>, many: &'b Many<'_>) -> QueryResult<()> {
        match many {
            Many::Texts(texts) => out.push_bind_param::<Array<Text>, Vec<&str>>(texts),
            Many::Blobs(blobs) => out.push_bind_param::<Array<Binary>, Vec<Cow<'_, [u8]>>>(blobs),
            Many::Integers(numbers) => out.push_bind_param::<Array<BigInt>, Vec<i64>>(numbers),
            Many::Ids(ids) => out.push_bind_param::<Array<Uuid>, Vec<SyncId>>(ids),
        }
    }
}

/// A statement as Diesel takes it, which does not ask what its rows hold.
struct Rendered<'a>(Vec<Part<'a>>);

impl<Db> QueryFragment<Db> for Rendered<'_>
where
    Db: Dialect + HasSqlType<Text> + HasSqlType<Binary> + HasSqlType<BigInt> + HasSqlType<Double>,
    str: ToSql<Text, Db>,
    [u8]: ToSql<Binary, Db>,
    i64: ToSql<BigInt, Db>,
    f64: ToSql<Double, Db>,
    Option<i64>: ToSql<Nullable<BigInt>, Db>,
    Option<String>: ToSql<Nullable<Text>, Db>,
    Option<Vec<u8>>: ToSql<Nullable<Binary>, Db>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Db>) -> QueryResult<()> {
        for part in &self.0 {
            match part {
                Part::Sql(text) => out.push_sql(text),
                Part::Identifier(name) => out.push_identifier(name)?,
                Part::ForUpdate => out.push_sql(Db::FOR_UPDATE),
                Part::ForUpdateUnlocked => out.push_sql(Db::FOR_UPDATE_UNLOCKED),
                Part::Value(Value::Id(Some(id))) => Db::bind_id(&mut out, id)?,
                Part::Value(Value::Id(None)) => Db::bind_no_id(&mut out)?,
                Part::Value(Value::Content(Some(text))) => Db::bind_content(&mut out, text)?,
                Part::Value(Value::Content(None)) => Db::bind_no_content(&mut out)?,
                Part::Value(Value::Many(many)) => Db::bind_many(&mut out, many)?,
                Part::Value(Value::Text(Some(text))) => out.push_bind_param::<Text, str>(text)?,
                Part::Value(Value::Blob(Some(bytes))) => out.push_bind_param::<Binary, [u8]>(bytes)?,
                Part::Value(Value::Integer(Some(number))) => out.push_bind_param::<BigInt, i64>(number)?,
                Part::Value(Value::Real(number)) => out.push_bind_param::<Double, f64>(number)?,
                Part::Value(Value::Text(None)) => out.push_bind_param::<Nullable<Text>, Option<String>>(&None)?,
                Part::Value(Value::Blob(None)) => out.push_bind_param::<Nullable<Binary>, Option<Vec<u8>>>(&None)?,
                Part::Value(Value::Integer(None)) => out.push_bind_param::<Nullable<BigInt>, Option<i64>>(&None)?,
            }
        }
        Ok(())
    }
}

/// Its text is its key in the cache of prepared statements.
impl QueryId for Rendered<'_> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

/// A statement that is known by a name.
struct Named<'a, Name> {
    rendered: Rendered<'a>,
    name: PhantomData<fn() -> Name>,
}

impl<Name, Db: Backend> QueryFragment<Db> for Named<'_, Name>
where
    for<'a> Rendered<'a>: QueryFragment<Db>,
{
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, Db>) -> QueryResult<()> {
        self.rendered.walk_ast(out)
    }
}

/// Its name is its key in the cache of prepared statements.
impl<Name: 'static> QueryId for Named<'_, Name> {
    type QueryId = Named<'static, Name>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

/// What its rows hold is known where they are read.
impl Query for Rendered<'_> {
    type SqlType = Untyped;
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use diesel::Connection as _;
    use diesel::connection::{InstrumentationEvent, SimpleConnection as _};
    use diesel::sqlite::SqliteConnection;

    use super::*;
    use crate::connection::AsConnection as _;

    fn connection() -> SqliteConnection {
        let mut connection = SqliteConnection::establish(":memory:").expect("a database in memory");
        connection.batch_execute("CREATE TABLE t (a TEXT, b BLOB, c INTEGER)").expect("a table");
        connection
    }

    #[test]
    fn a_statement_is_prepared_once_whatever_it_binds() {
        let mut connection = connection();
        let prepared = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&prepared);
        connection.set_instrumentation(move |event: InstrumentationEvent<'_>| {
            if matches!(event, InstrumentationEvent::CacheQuery { .. }) {
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
        for number in 0..5_i64 {
            let insert = sql("INSERT INTO ").identifier("t").sql(" (a, b, c) VALUES (").bind("x").sql(", ");
            let inserted =
                insert.bind(None::<&[u8]>).sql(", ").bind(number).sql(")").execute(&mut connection.as_connection());
            assert_eq!(inserted, Ok(1));
        }
        assert_eq!(prepared.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn values_come_back_as_they_were_bound() {
        type Row = (Option<String>, Option<Vec<u8>>, Option<i64>);
        let mut connection = connection();
        let rows: [Row; 2] =
            [(Some("'; DROP TABLE t; --".to_owned()), Some(vec![0, 255]), Some(i64::MIN)), (None, None, None)];
        for (text, bytes, number) in &rows {
            let insert = sql("INSERT INTO t VALUES (").bind(text.as_deref()).sql(", ").bind(bytes.as_deref());
            insert.sql(", ").bind(*number).sql(")").execute(&mut connection.as_connection()).expect("insert");
        }
        let select = sql("SELECT a, b, c FROM t").returns::<(Nullable<Text>, Nullable<Binary>, Nullable<BigInt>)>();
        assert_eq!(select.load::<Row>(&mut connection.as_connection()).expect("load"), rows);
    }

    #[test]
    fn rows_end_after_so_many_and_any_number_will_do() {
        let mut connection = connection();
        for number in 0..3_i64 {
            sql("INSERT INTO t (c) VALUES (")
                .bind(number)
                .sql(")")
                .execute(&mut connection.as_connection())
                .expect("insert");
        }
        for (limit, expected) in [(0, 0), (2, 2), (3, 3), (usize::MAX, 3)] {
            let found = sql("SELECT c FROM t ORDER BY c").limit(limit).returns::<BigInt>();
            assert_eq!(found.load::<i64>(&mut connection.as_connection()).expect("load").len(), expected, "{limit}");
        }
    }

    #[test]
    fn a_prefix_has_no_wildcards_and_its_case_counts() {
        let mut connection = connection();
        let all = ["a", "a_b", "a_b:c", "a_c", "axb", "A_B", "a_b\u{10ffff}", "b"];
        for text in all {
            sql("INSERT INTO t (a) VALUES (")
                .bind(text)
                .sql(")")
                .execute(&mut connection.as_connection())
                .expect("insert");
        }
        for prefix in ["a_b", "", "a", "z", "a_b\u{10ffff}"] {
            let found = sql("SELECT a FROM t WHERE ").starts_with("a", prefix).sql(" ORDER BY rowid").returns::<Text>();
            let expected: Vec<&str> = all.into_iter().filter(|text| text.starts_with(prefix)).collect();
            assert_eq!(found.load::<String>(&mut connection.as_connection()).expect("load"), expected, "{prefix:?}");
        }
    }
}
