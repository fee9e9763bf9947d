//! One field of every kind, with values at their edges.
//!
//! Goal: a value is the same on both sides, and each side writes it as the other does. Method: one side makes samples, they
//! travel, the other side changes one member and so writes all of them anew: every other member must read as before.

use serde_json::{Value, json};

use super::meeting::{Caller, Cast, Meeting};
use super::side::Side;

/// Samples, from the plainest to the edges of each kind.
fn samples(dataset: &str) -> Vec<Value> {
    let plain = json!({
        "dataset_id": dataset, "small": 1, "whole": 2, "big": 3, "ratio": 0.5, "flag": true, "word": "milk", "prose": "tea",
        "moment": "2026-01-02T03:04:05.678Z", "day": "2026-01-02", "clock": "03:04:05.678", "price": "12.3400",
        "uuid": "123e4567-e89b-12d3-a456-426614174000", "json": "{\"a\": [1, 2.5, null, true, \"é\"], \"b\": {}}", "data": "AAEC/w==",
    });
    let edges = [
        json!({"small": -32768, "whole": -2_147_483_648, "big": i64::MIN}),
        json!({"small": 32767, "whole": 2_147_483_647, "big": i64::MAX}),
        json!({"small": 0, "whole": 0, "big": 0, "ratio": 0.0, "flag": false, "word": "", "prose": null, "data": ""}),
        json!({"ratio": 5e-324}),
        json!({"ratio": f64::MAX}),
        json!({"ratio": 0.1 + 0.2}),
        json!({"ratio": 1e16}),
        json!({"ratio": 123_456_789_012_345_680.0}),
        json!({"ratio": 1e-7}),
        json!({"prose": ""}),
        json!({"word": "Grüße, 你好, \u{1f600}, \"quoted\", back\\slash, it's; -- %_${id}", "prose": "two\nlines\tand a tab\r\n"}),
        json!({"prose": "\u{1}\u{7f}\u{80}\u{2028}\u{2029}\u{fffd}\u{10ffff}</script>"}),
        json!({"moment": "1970-01-01T00:00:00Z", "day": "1970-01-01", "clock": "00:00:00"}),
        json!({"moment": "1969-12-31T23:59:59.999Z", "day": "0001-01-01", "clock": "23:59:59.999"}),
        json!({"moment": "9999-12-31T23:59:59.999Z", "day": "9999-12-31", "clock": "12:00:00"}),
        json!({"moment": "1000-01-01T00:00:00Z", "day": "2024-02-29", "clock": "00:00:00.001"}),
        json!({"price": "99999999.9999"}),
        json!({"price": "-99999999.9999"}),
        json!({"price": "0.0000"}),
        json!({"price": "0.0001"}),
        json!({"uuid": "00000000-0000-0000-0000-000000000000"}),
        json!({"uuid": "ffffffff-ffff-ffff-ffff-ffffffffffff"}),
        json!({"json": "null"}),
        json!({"json": "[]"}),
        json!({"json": "\"text\""}),
        json!({"json": "{\"deep\": [[[[[[0]]]]]], \"big\": 9007199254740993, \"small\": -1.5e-9}"}),
    ];
    let sample = |edge: &Value| {
        let mut sample = plain.clone();
        for (name, value) in edge.as_object().expect("members") {
            sample[name] = value.clone();
        }
        sample
    };
    edges.iter().map(sample).chain([plain.clone()]).collect()
}

/// Asserts that what stands in the store is what was made, member by member.
fn assert_stored_as_made(meeting: &mut Meeting, ids: &[String], samples: &[Value]) {
    let records = meeting.rust().records(&[]);
    for (id, sample) in ids.iter().zip(samples) {
        let stored = &records[id]["serialized"][0];
        for (name, value) in sample.as_object().expect("members") {
            let (stored, made) = match name.as_str() {
                // The same JSON may be spaced in another way.
                "json" => (parsed(&stored[name]), parsed(value)),
                _ => (stored[name].clone(), value.clone()),
            };
            assert_eq!(stored, made, "{name} of {id}");
            assert_eq!(stored.to_string(), made.to_string(), "{name} of {id}, to the sign of a zero");
        }
    }
}

/// Changes one member of each sample, so that all members are written anew.
fn touch(side: &mut Side<'_>, ids: &[String], samples: &mut [Value]) {
    for (id, sample) in ids.iter().zip(samples) {
        side.update("sampler", id, "word", "touched");
        sample["word"] = json!("touched");
    }
}

fn parsed(text: &Value) -> Value {
    serde_json::from_str(text.as_str().expect("a text that holds JSON")).expect("JSON")
}

pub(super) fn every_kind_of_field_travels_from_python_to_us(cast: Cast) {
    let mut meeting = Meeting::begin(cast);
    let dataset = meeting.dataset.clone();
    if cast.caller == Caller::Python {
        meeting.pull();
    }
    let mut samples = samples(&dataset);
    let ids: Vec<String> = samples.iter().map(|sample| meeting.python().create("sampler", sample)).collect();

    meeting.bring_from_python();

    meeting.assert_equal();
    assert_stored_as_made(&mut meeting, &ids, &samples);

    // What we write of the same values is what Python wrote.
    touch(&mut meeting.rust(), &ids, &mut samples);
    assert_eq!(meeting.bring_to_python(), ids.len() as u64);
    meeting.assert_equal();
    assert_stored_as_made(&mut meeting, &ids, &samples);
}

pub(super) fn every_kind_of_field_travels_from_us_to_python(cast: Cast) {
    let mut meeting = Meeting::begin(cast);
    let dataset = meeting.dataset.clone();
    if cast.caller == Caller::Rust {
        meeting.pull();
    }
    let mut samples = samples(&dataset);
    let ids: Vec<String> = samples.iter().map(|sample| meeting.rust().create("sampler", sample)).collect();

    meeting.bring_to_python();

    meeting.assert_equal();
    assert_stored_as_made(&mut meeting, &ids, &samples);

    // What Python writes of the same values is what we wrote.
    touch(&mut meeting.python(), &ids, &mut samples);
    assert_eq!(meeting.bring_from_python(), ids.len() as u64);
    meeting.assert_equal();
    assert_stored_as_made(&mut meeting, &ids, &samples);
}
