//! Models without rows, as the derive would describe them.

/// Makes a type with a definition. Foreign keys are `(field => Target)`, or `(field => Target, may_be_missing)`; a last
/// list names further fields. In the short form the profile is `test` and the table is called like the model.
macro_rules! test_model {
    ($kind:ident, $name:literal, $partition:literal, keys [$(($key:ident => $target:ident $(, $missing:ident)?)),*], depends_on [$($other:ident),*] $(, fields [$($field:ident),*])?) => {
        test_model!($kind, "test", $name, $name, $partition, keys [$(($key => $target $(, $missing)?)),*], depends_on [$($other),*], fields [$($($field),*)?]);
    };
    ($kind:ident, $profile:literal, $table:literal, $name:literal, $partition:literal, keys [$(($key:ident => $target:ident $(, $missing:ident)?)),*], depends_on [$($other:ident),*], fields [$($field:ident),*]) => {
        pub(crate) struct $kind;

        impl $kind {
            pub(crate) fn definition() -> &'static $crate::model::ModelDefinition {
                use $crate::model;

                static FIELDS: &[model::Field] =
                    &[$($crate::model::registry::testing::field(stringify!($key)),)* $($crate::model::registry::testing::field(stringify!($field)),)*];
                static KEYS: &[model::ForeignKey] = &[$(model::ForeignKey {
                    field: stringify!($key),
                    wire_name: stringify!($key),
                    column: stringify!($key),
                    target: model::Dependency { definition: $target::definition },
                    may_be_missing: $crate::model::registry::testing::is_given(&[$(stringify!($missing))?]),
                    is_self: $crate::model::registry::testing::is_equal(stringify!($target), stringify!($kind)),
                }),*];
                static DEFINITION: model::ModelDefinition = model::ModelDefinition {
                    profile: $profile,
                    name: $name,
                    rust_type: concat!("test::", stringify!($kind)),
                    type_id: std::any::TypeId::of::<$kind>,
                    table: $table,
                    id_column: "id",
                    partition: $partition,
                    id_rule: model::IdRule::Calculated,
                    source: model::SourceRule::Random,
                    fields: FIELDS,
                    foreign_keys: KEYS,
                    depends_on: &[$(model::Dependency { definition: $other::definition }),*],
                    merge: None,
                };
                &DEFINITION
            }
        }
    };
}
pub(crate) use test_model;

pub(crate) const fn field(name: &'static str) -> crate::model::Field {
    crate::model::Field { name, wire_name: name, column: name, is_skipped: false, merge: None }
}

pub(crate) const fn is_given(words: &[&str]) -> bool {
    !words.is_empty()
}

pub(crate) const fn is_equal(one: &str, two: &str) -> bool {
    let (one, two) = (one.as_bytes(), two.as_bytes());
    if one.len() != two.len() {
        return false;
    }
    let mut position = 0;
    while position < one.len() {
        if one[position] != two[position] {
            return false;
        }
        position += 1;
    }
    true
}
