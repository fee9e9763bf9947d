//! Counters as JSON texts, in both of the protocol's forms.
//!
//! Peers that share `FSIC_V2_FORMAT` send `{"super": …, "sub": …}`. Others send one flat `{instance: counter}`, which says
//! the same for everything under the filter. So that the engine computes with one type, a flat map that came is the one of the
//! partition above all filters, the empty one; and a flat map that goes says what all of our partitions have in common, since
//! the engine gives every prefix of the filter the same there.

use serde::Deserialize;
use std::borrow::Cow;

use super::WireError;
use super::loose::from_text;
use crate::counter::{CounterError, Fsic, FsicV1, KeptFsic};
use crate::session::FsicForm;

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
pub(super) fn write(fsic: Option<&Fsic>, form: FsicForm) -> Cow<'static, str> {
    match (fsic, form) {
        (None, _) => Cow::Borrowed("{}"),
        (Some(fsic), FsicForm::PerPartition) => Cow::Owned(fsic.to_json()),
        (Some(fsic), FsicForm::Flat) => Cow::Owned(FsicV1::common(&fsic.sub).to_json()),
    }
}

/// Writes counters that a session keeps. In the form in which they are kept they are not taken apart for that.
pub(super) fn write_kept(kept: Option<&KeptFsic>, form: FsicForm) -> Result<Cow<'_, str>, CounterError> {
    match (kept, form) {
        (Some(kept), FsicForm::PerPartition) => Ok(Cow::Borrowed(kept.text())),
        (Some(kept), FsicForm::Flat) => Ok(write(Some(kept.fsic()?), form)),
        (None, _) => Ok(write(None, form)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scope::Filter;

    const INSTANCE: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn both_forms_are_read_and_written_again() {
        let per_partition = format!(r#"{{"super":{{}},"sub":{{"p":{{"{INSTANCE}":3}}}}}}"#);
        let fsic = read(Some(&per_partition)).expect("version 2").expect("not empty");
        assert_eq!(write(Some(&fsic), FsicForm::PerPartition), per_partition);

        let flat = format!(r#"{{"{INSTANCE}":3}}"#);
        let filter = Filter::new(["a", "b"]).expect("prefixes");
        let fsic = read(Some(&flat)).expect("version 1").expect("not empty");
        let spread = FsicV1::of(&fsic, &filter).and_then(|flat| flat.spread_over(&filter)).expect("it is little");
        assert_eq!(spread.sub.len(), 2);
        assert_eq!(write(Some(&spread), FsicForm::Flat), flat);
    }

    #[test]
    fn a_flat_map_claims_nothing_that_is_not_true_of_every_partition() {
        let text = format!(r#"{{"super":{{}},"sub":{{"p":{{"{INSTANCE}":3}},"q":{{}}}}}}"#);
        let fsic = read(Some(&text)).expect("version 2").expect("not empty");
        assert_eq!(write(Some(&fsic), FsicForm::Flat), "{}");
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
