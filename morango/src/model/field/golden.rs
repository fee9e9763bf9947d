//! Records that the Python package wrote, one field of every kind in each: we read every field and write the same again.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::FieldValue;
use super::testing::written;
use crate::id::SyncId;
use crate::model::Fields;

const RECORDS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/buffer.json");

/// Reads a field and writes it: the texts may differ in escapes only.
fn round_trip<T: FieldValue>(fields: &Fields<'_>, name: &str) -> (Value, Value) {
    let raw = fields.get(name).expect("every sampler has every field");
    let value = T::read_json(raw).unwrap_or_else(|reason| panic!("{name}: {reason}"));
    let as_value = |json: &str| serde_json::from_str(json).expect("it is JSON");
    (as_value(raw), as_value(&written(&value)))
}

/// `.000` says that there were microseconds before they were cut. Reading cannot bring them back, so we do not say it again.
fn is_a_trace_of_microseconds(python: &Value, ours: &Value) -> bool {
    python
        .as_str()
        .is_some_and(|text| text.contains(':') && text.contains(".000") && *ours == *text.replace(".000", ""))
}

#[test]
fn every_field_that_python_wrote_is_written_again_as_it_was() {
    let fixture = std::fs::read_to_string(RECORDS).expect("the fixtures lie beside the crate");
    let fixture: Value = serde_json::from_str(&fixture).expect("they are JSON");
    let samplers = fixture["samplers"].as_array().expect("a list");
    assert!(samplers.len() > 20);
    for sampler in samplers {
        let text = sampler["record"]["serialized"].as_str().expect("a text");
        let fields = Fields::parse(text).expect("an object");
        for (python, ours) in [
            round_trip::<SyncId>(&fields, "dataset_id"),
            round_trip::<i16>(&fields, "small"),
            round_trip::<i32>(&fields, "whole"),
            round_trip::<i64>(&fields, "big"),
            round_trip::<f64>(&fields, "ratio"),
            round_trip::<bool>(&fields, "flag"),
            round_trip::<String>(&fields, "word"),
            round_trip::<Option<String>>(&fields, "prose"),
            round_trip::<DateTime<Utc>>(&fields, "moment"),
            round_trip::<NaiveDate>(&fields, "day"),
            round_trip::<NaiveTime>(&fields, "clock"),
            round_trip::<Uuid>(&fields, "uuid"),
            round_trip::<Vec<u8>>(&fields, "data"),
            #[cfg(feature = "rust_decimal")]
            round_trip::<rust_decimal::Decimal>(&fields, "price"),
            #[cfg(feature = "bigdecimal")]
            round_trip::<bigdecimal::BigDecimal>(&fields, "price"),
        ] {
            assert!(
                python == ours || is_a_trace_of_microseconds(&python, &ours),
                "{}: {python} {ours}",
                sampler["name"]
            );
        }
        let (python, ours) = round_trip::<Value>(&fields, "json");
        let held = |text: &Value| -> Value {
            serde_json::from_str(text.as_str().expect("a text that holds JSON")).expect("it is JSON")
        };
        assert_eq!(held(&python), held(&ours), "{}", sampler["name"]);
    }
}
