//! `scope_definitions!`: from what an application writes down to the definitions that the registry finds.

mod check;
mod expand;
mod parse;

use proc_macro2::TokenStream;

use crate::diagnostics::Diagnostics;

/// Parse, check, expand.
pub(crate) fn define(input: TokenStream) -> TokenStream {
    let mut diagnostics = Diagnostics::new();
    let definitions = parse::definitions(input, &mut diagnostics);
    check::definitions(&definitions, &mut diagnostics);
    match diagnostics.finish() {
        Ok(()) => expand::definitions(&definitions),
        Err(errors) => errors,
    }
}
