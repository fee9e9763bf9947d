//! Counters as a session keeps them: a text until somebody computes with them.
//!
//! A school of many partitions has megabytes of them, and a session is read, changed and handed on a dozen times for each time that
//! anybody looks at its counters. So copies share one, and what was read from a database is taken apart once it is asked for.

use std::fmt;
use std::sync::{Arc, OnceLock};

use super::{CounterError, Fsic};

/// Counters that one side told. Copies are cheap.
#[derive(Clone)]
pub struct KeptFsic(Arc<Forms>);

/// At least one of the two is there from the beginning.
#[derive(Default)]
struct Forms {
    text: OnceLock<String>,
    fsic: OnceLock<Arc<Fsic>>,
}

impl KeptFsic {
    /// Counters that were written as [`text`](Self::text) before. They are not looked at yet.
    pub fn of_text(text: impl Into<String>) -> Self {
        Self(Arc::new(Forms { text: OnceLock::from(text.into()), fsic: OnceLock::new() }))
    }

    /// The JSON text of the counters.
    pub fn text(&self) -> &str {
        self.0.text.get_or_init(|| self.0.fsic.get().expect("one of the two forms is there").to_json())
    }

    /// The counters.
    ///
    /// # Errors
    /// [`CounterError::Kept`] where the text is not one that was written as such.
    pub fn fsic(&self) -> Result<&Arc<Fsic>, CounterError> {
        match (self.0.fsic.get(), self.0.text.get()) {
            (Some(fsic), _) => Ok(fsic),
            (None, text) => {
                let text = text.expect("one of the two forms is there");
                let fsic =
                    Fsic::from_json(text).map_err(|problem| CounterError::Kept { problem: problem.to_string() })?;
                Ok(self.0.fsic.get_or_init(|| Arc::new(fsic)))
            }
        }
    }

    /// Puts a changed copy in the place of the counters.
    ///
    /// # Errors
    /// As [`fsic`](Self::fsic).
    pub fn change(&mut self, change: impl FnOnce(&mut Fsic)) -> Result<(), CounterError> {
        let mut fsic = Fsic::clone(self.fsic()?);
        change(&mut fsic);
        *self = fsic.into();
        Ok(())
    }
}

impl From<Arc<Fsic>> for KeptFsic {
    fn from(fsic: Arc<Fsic>) -> Self {
        Self(Arc::new(Forms { text: OnceLock::new(), fsic: OnceLock::from(fsic) }))
    }
}

impl From<Fsic> for KeptFsic {
    fn from(fsic: Fsic) -> Self {
        Arc::new(fsic).into()
    }
}

impl Default for KeptFsic {
    /// Counters of nothing.
    fn default() -> Self {
        Fsic::default().into()
    }
}

impl PartialEq for KeptFsic {
    /// The same counters are written alike.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.text() == other.text()
    }
}

impl fmt::Debug for KeptFsic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("KeptFsic").field(&self.text()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"{"super":{},"sub":{"p":{"0123456789abcdef0123456789abcdef":3}}}"#;

    #[test]
    fn counters_are_the_same_in_both_forms_and_read_once() {
        let kept = KeptFsic::of_text(TEXT);
        let copy = kept.clone();
        let fsic = Arc::clone(kept.fsic().expect("a good text"));
        assert!(Arc::ptr_eq(&fsic, copy.fsic().expect("a good text")), "they share what was read");
        let written = KeptFsic::from(fsic);
        assert_eq!((written.text(), &written), (TEXT, &kept));
    }

    #[test]
    fn a_text_that_is_damaged_is_an_error_for_whoever_computes_with_it() {
        let kept = KeptFsic::of_text("{\"sub\":");
        assert!(matches!(kept.fsic(), Err(CounterError::Kept { .. })), "and never counters of nothing");
    }

    #[test]
    fn a_copy_that_is_changed_leaves_the_others_as_they_are() {
        let kept = KeptFsic::of_text(TEXT);
        let mut copy = kept.clone();
        copy.change(|fsic| fsic.sub.clear()).expect("a good text");
        assert_eq!((kept.text(), &copy), (TEXT, &KeptFsic::default()));
    }
}
