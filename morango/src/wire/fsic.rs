//! Counters as JSON texts, in both of the protocol's forms.
//!
//! Peers that share `FSIC_V2_FORMAT` send `{"super": …, "sub": …}`. Others send one flat `{instance: counter}`, which says
//! the same for everything under the filter; here it is the map of the one partition above all filters, the empty one. So
//! the engine computes with one type, and a flat map is what `super` holds under the empty partition.

use serde::Deserialize;
use std::borrow::Cow;

use super::WireError;
use super::loose::{from_text, to_text};
use crate::counter::{Fsic, FsicV1};

/// Which form two peers have agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FsicForm {
    /// Per partition.
    PerPartition,
    /// One flat map.
    Flat,
}

impl FsicForm {
    /// The form that peers with these shared capabilities use.
    pub(super) fn shared(capabilities: &crate::session::Capabilities) -> Self {
        if capabilities.has(crate::session::Capability::FsicV2Format) { Self::PerPartition } else { Self::Flat }
    }
}

/// Reads counters of either form. `{}`, an empty text and `null` say that there are none yet.
pub(super) fn read(text: Option<&str>) -> Result<Option<Fsic>, WireError> {
    #[derive(Deserialize)]
    struct Parts<'a> {
        #[serde(borrow)]
        sub: Option<&'a serde_json::value::RawValue>,
    }

    let text = match text.map(str::trim) {
        None | Some("" | "{}" | "null") => return Ok(None),
        Some(text) => text,
    };
    let malformed = |problem| WireError::malformed("counters", &problem);
    // A flat map has only numbers in it and instances as names, so a member `sub` tells the two apart.
    if from_text::<Parts<'_>>("counters", text)?.sub.is_some() {
        return Fsic::from_json(text).map(Some).map_err(malformed);
    }
    let flat = FsicV1::from_json(text).map_err(malformed)?;
    let super_ = [(String::new(), flat.counters().clone())].into_iter().collect();
    Ok(Some(Fsic { super_, ..Fsic::default() }))
}

/// Writes counters in the form that the two peers share.
///
/// To a peer of the flat form nothing is claimed but what `super` holds under the empty partition.
pub(super) fn write(fsic: Option<&Fsic>, form: FsicForm) -> Cow<'static, str> {
    match (fsic, form) {
        (None, _) => Cow::Borrowed("{}"),
        (Some(fsic), FsicForm::PerPartition) => Cow::Owned(fsic.to_json()),
        (Some(fsic), FsicForm::Flat) => match fsic.super_.get("") {
            Some(counters) => Cow::Owned(to_text(counters)),
            None => Cow::Borrowed("{}"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INSTANCE: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn both_forms_are_read_and_written_again() {
        let per_partition = format!(r#"{{"super":{{}},"sub":{{"p":{{"{INSTANCE}":3}}}}}}"#);
        let fsic = read(Some(&per_partition)).expect("version 2").expect("not empty");
        assert_eq!(write(Some(&fsic), FsicForm::PerPartition), per_partition);
        assert_eq!(write(Some(&fsic), FsicForm::Flat), "{}", "nothing is claimed beyond what is known for all");

        let flat = format!(r#"{{"{INSTANCE}":3}}"#);
        let fsic = read(Some(&flat)).expect("version 1").expect("not empty");
        assert_eq!(write(Some(&fsic), FsicForm::Flat), flat);
    }

    #[test]
    fn no_counters_are_no_error_and_nonsense_is() {
        for none in [None, Some(""), Some("{}"), Some(" {} "), Some("null")] {
            assert_eq!(read(none).expect("none"), None);
        }
        for nonsense in ["[", "[]", "7", r#"{"a": 1}"#, r#"{"sub": 1}"#, r#"{"sub": {}}"#] {
            assert!(read(Some(nonsense)).is_err(), "{nonsense}");
        }
    }
}
