//! A field that may hold nothing: `null` in the stored JSON, and nothing where the stored JSON does not have it.

use super::{FieldValue, TemplateValue};

impl<T: FieldValue> FieldValue for Option<T> {
    fn write_json(&self, json: &mut String) {
        match self {
            Some(value) => value.write_json(json),
            None => json.push_str("null"),
        }
    }

    fn read_json(json: &str) -> Result<Self, String> {
        if json == "null" { Ok(None) } else { T::read_json(json).map(Some) }
    }

    fn when_absent() -> Option<Self> {
        Some(None)
    }
}

impl<T: TemplateValue> TemplateValue for Option<T> {
    fn template_text(&self) -> Option<String> {
        self.as_ref().and_then(T::template_text)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{is_refused, travels_as};
    use super::*;

    #[test]
    fn nothing_is_null() {
        travels_as(&Some(7), "7");
        travels_as(&None::<i32>, "null");
        assert!(is_refused::<Option<i32>>("\"null\"").ends_with("found \"null\""));
    }

    #[test]
    fn a_field_that_is_absent_holds_nothing_where_it_may() {
        assert_eq!(Option::<String>::when_absent(), Some(None));
        assert_eq!(String::when_absent(), None);
    }

    #[test]
    fn a_template_has_no_text_for_nothing() {
        assert_eq!(Some(7).template_text().as_deref(), Some("7"));
        assert_eq!(None::<i32>.template_text(), None);
    }
}
