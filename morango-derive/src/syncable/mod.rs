//! `#[derive(Syncable)]`: from a struct and its attributes to a model.

mod attr;
mod check;
mod expand;
mod fallback;
mod merge;
mod model;

use proc_macro2::TokenStream;

use crate::diagnostics::Diagnostics;
use model::Model;

/// Parse, check, expand. A struct with mistakes becomes a model all the same, one that does nothing: so code that uses it
/// brings no errors of its own.
pub(crate) fn derive(input: &syn::DeriveInput) -> TokenStream {
    let mut diagnostics = Diagnostics::new();
    let model = Model::parse(input, &mut diagnostics);
    check::model(&model, &mut diagnostics);
    match diagnostics.finish() {
        Ok(()) => expand::model(&model),
        Err(errors) => fallback::model(input, &errors),
    }
}
