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
        ::morango_diesel::__broken_model! { #ident }
    }
}
