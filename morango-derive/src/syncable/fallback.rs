//! What a struct with mistakes becomes: a model in name, so that code which uses it brings no errors of its own.

use proc_macro2::TokenStream;
use quote::quote;
use syn::DeriveInput;

/// The errors, and a model that does nothing.
pub(crate) fn model(input: &DeriveInput, errors: &TokenStream) -> TokenStream {
    if !input.generics.params.is_empty() {
        return errors.clone();
    }
    let ident = &input.ident;
    quote! {
        #errors

        #[automatically_derived]
        const _: () = {
            use ::morango_diesel::__private::{diesel, morango};

            impl morango::model::Model for #ident {
                fn definition() -> &'static morango::model::ModelDefinition { ::core::unreachable!() }
                fn id(&self) -> morango::id::SyncId { ::core::unreachable!() }
                fn set_id(&mut self, _: morango::id::SyncId) { ::core::unreachable!() }
                fn field_text(&self, _: &str) -> ::core::option::Option<::std::string::String> { ::core::unreachable!() }
                fn source_id_by_function(&self) -> ::core::option::Option<::std::string::String> { ::core::unreachable!() }
                fn write_fields(&self, _: &mut morango::model::ObjectWriter) { ::core::unreachable!() }
                fn read_fields(
                    _: morango::id::SyncId,
                    _: &morango::model::Fields<'_>,
                ) -> ::core::result::Result<Self, morango::model::FieldErrors> { ::core::unreachable!() }
                fn validate(&self) -> ::core::result::Result<(), morango::model::FieldErrors> { ::core::unreachable!() }
            }

            impl<C> ::morango_diesel::Rows<C> for #ident {
                fn load_all(_: &mut C, _: &[morango::id::SyncId]) -> diesel::QueryResult<::std::vec::Vec<Self>> {
                    ::core::unreachable!()
                }
                fn load_one(_: &mut C, _: &morango::id::SyncId) -> diesel::QueryResult<::core::option::Option<Self>> {
                    ::core::unreachable!()
                }
                fn insert(&self, _: &mut C) -> diesel::QueryResult<()> { ::core::unreachable!() }
                fn upsert(&self, _: &mut C) -> diesel::QueryResult<usize> { ::core::unreachable!() }
                fn rivals(&self, _: &mut C, _: &[&str]) -> diesel::QueryResult<::std::vec::Vec<morango::id::SyncId>> {
                    ::core::unreachable!()
                }
                fn delete(_: &mut C, _: &morango::id::SyncId) -> diesel::QueryResult<usize> { ::core::unreachable!() }
            }
        };
    }
}
