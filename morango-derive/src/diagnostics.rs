//! The collector of mistakes. Whoever finds one notes it here and goes on, so that all are told at once.

use std::fmt::Display;

use proc_macro2::{Span, TokenStream};

/// The mistakes found so far. It must be [finished](Diagnostics::finish): one that is forgotten would let a mistake pass.
pub(crate) struct Diagnostics {
    error: Option<syn::Error>,
    is_finished: bool,
}

impl Diagnostics {
    /// No mistakes yet.
    pub(crate) fn new() -> Self {
        Self { error: None, is_finished: false }
    }

    /// Notes a mistake at this place.
    pub(crate) fn at(&mut self, place: Span, message: impl Display) {
        self.add(syn::Error::new(place, message));
    }

    /// Notes a mistake over all of these tokens.
    pub(crate) fn over(&mut self, place: impl quote::ToTokens, message: impl Display) {
        self.add(syn::Error::new_spanned(place, message));
    }

    /// `Ok` where there is no mistake, else the tokens that make the compiler tell them all.
    pub(crate) fn finish(mut self) -> Result<(), TokenStream> {
        self.is_finished = true;
        self.error.take().map_or(Ok(()), |error| Err(error.into_compile_error()))
    }

    fn add(&mut self, error: syn::Error) {
        match &mut self.error {
            Some(errors) => errors.combine(error),
            None => self.error = Some(error),
        }
    }
}

impl Drop for Diagnostics {
    fn drop(&mut self) {
        assert!(self.is_finished || std::thread::panicking(), "mistakes were collected and never told");
    }
}
