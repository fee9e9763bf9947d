//! What stands in for a model whose derive found mistakes, so that code which uses it brings no errors of its own.

/// Makes a model in name of a type: it does nothing, since a program with such a type is never built.
#[doc(hidden)]
#[macro_export]
macro_rules! __broken_model {
    ($model:ident) => {
        const _: () = {
            use $crate::__private::diesel::result::QueryResult;
            use $crate::__private::morango::id::SyncId;
            use $crate::__private::morango::model::{FieldErrors, Fields, Model, ModelDefinition, ObjectWriter};

            #[automatically_derived]
            impl Model for $model {
                fn definition() -> &'static ModelDefinition {
                    ::core::unreachable!()
                }
                fn id(&self) -> SyncId {
                    ::core::unreachable!()
                }
                fn set_id(&mut self, _: SyncId) {
                    ::core::unreachable!()
                }
                fn field_text(&self, _: &str) -> ::core::option::Option<::std::string::String> {
                    ::core::unreachable!()
                }
                fn source_id_by_function(&self) -> ::core::option::Option<::std::string::String> {
                    ::core::unreachable!()
                }
                fn write_fields(&self, _: &mut ObjectWriter) {
                    ::core::unreachable!()
                }
                fn read_fields(_: SyncId, _: &Fields<'_>) -> ::core::result::Result<Self, FieldErrors> {
                    ::core::unreachable!()
                }
                fn validate(&self) -> ::core::result::Result<(), FieldErrors> {
                    ::core::unreachable!()
                }
            }

            #[automatically_derived]
            impl<C> $crate::Rows<C> for $model {
                fn load_all(_: &mut C, _: &[SyncId]) -> QueryResult<::std::vec::Vec<Self>> {
                    ::core::unreachable!()
                }
                fn load_one(_: &mut C, _: &SyncId) -> QueryResult<::core::option::Option<Self>> {
                    ::core::unreachable!()
                }
                fn insert(&self, _: &mut C) -> QueryResult<()> {
                    ::core::unreachable!()
                }
                fn upsert(&self, _: &mut C) -> QueryResult<usize> {
                    ::core::unreachable!()
                }
                fn hold(_: &mut C, _: &[SyncId]) -> QueryResult<()> {
                    ::core::unreachable!()
                }
                fn rivals(&self, _: &mut C, _: &[&str]) -> QueryResult<::std::vec::Vec<SyncId>> {
                    ::core::unreachable!()
                }
                fn delete(_: &mut C, _: &SyncId) -> QueryResult<usize> {
                    ::core::unreachable!()
                }
            }
        };
    };
}

#[cfg(test)]
mod tests {
    use morango::model::Model;

    use crate::Rows;

    struct Broken;

    crate::__broken_model!(Broken);

    // A method that one of the traits gains without a default is missed here, before it is in every message of the derive.
    #[test]
    fn it_is_a_model_with_rows_over_whatever_it_is_asked_of() {
        fn is_complete<M: Model + Rows<()> + Rows<String>>() {}
        is_complete::<Broken>();
    }
}
