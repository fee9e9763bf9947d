//! What Django writes we write; what anyone writes we read.

use chrono::{NaiveTime, TimeDelta, TimeZone as _};
use serde_json::{Value, json};

use super::super::testing::{is_refused, travels_as, written};
use super::*;
use crate::scope::testing::Dice;

fn utc(microseconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(microseconds).expect("a moment of our days")
}

/// 2024-01-02T03:04:05Z in seconds.
const SECONDS: i64 = 1_704_164_645;

fn east(seconds: i32) -> FixedOffset {
    FixedOffset::east_opt(seconds).expect("less than a day")
}

#[test]
fn moments_are_written_as_django_writes_them() {
    for (microseconds, expected) in [
        (678_901, "\"2024-01-02T03:04:05.678Z\""),
        (0, "\"2024-01-02T03:04:05Z\""),
        (999, "\"2024-01-02T03:04:05.000Z\""),
        (999_999, "\"2024-01-02T03:04:05.999Z\""),
    ] {
        assert_eq!(written(&utc(SECONDS * 1_000_000 + microseconds)), expected);
    }
    travels_as(&Utc.with_ymd_and_hms(1, 1, 1, 0, 0, 0).single().expect("a moment"), "\"0001-01-01T00:00:00Z\"");
}

#[test]
fn moments_with_an_offset_are_written_as_django_writes_them() {
    for (offset, microsecond, expected) in [
        (3 * 3_600, 999_999, "\"2024-01-02T06:04:05.999+03:00\""),
        (-(3 * 3_600 + 1_800), 0, "\"2024-01-01T23:34:05-03:30\""),
        (2 * 3_600 + 7, 1, "\"2024-01-02T05:04:12.000+02:00:07\""),
        (0, 0, "\"2024-01-02T03:04:05Z\""),
    ] {
        let moment = utc(SECONDS * 1_000_000 + microsecond).with_timezone(&east(offset));
        assert_eq!(written(&moment), expected);
        let back = DateTime::<FixedOffset>::read_json(expected).expect("it was written");
        assert_eq!((back.timestamp(), *back.offset()), (moment.timestamp(), *moment.offset()), "the offset stays");
    }
}

#[test]
fn days_and_clocks_are_written_as_django_writes_them() {
    let day = |year, month, day| NaiveDate::from_ymd_opt(year, month, day).expect("a day");
    travels_as(&day(2024, 2, 29), "\"2024-02-29\"");
    travels_as(&day(33, 1, 1), "\"0033-01-01\"");
    travels_as(&day(12_345, 1, 1), "\"+12345-01-01\"");
    travels_as(&day(123_456, 1, 1), "\"+123456-01-01\"");
    travels_as(&day(-5, 1, 1), "\"-0005-01-01\"");
    let clock = |micro| NaiveTime::from_hms_micro_opt(3, 4, 5, micro).expect("a clock");
    travels_as(&clock(0), "\"03:04:05\"");
    travels_as(&clock(678_000), "\"03:04:05.678\"");
    assert_eq!(written(&clock(678_901)), "\"03:04:05.678\"");
    assert_eq!(written(&clock(1)), "\"03:04:05.000\"");
    travels_as(&day(2024, 1, 2).and_time(clock(678_000)), "\"2024-01-02T03:04:05.678\"");
    travels_as(&day(2024, 1, 2).and_time(NaiveTime::MIN), "\"2024-01-02T00:00:00\"");
}

#[test]
fn a_moment_is_read_in_every_common_form() {
    for (text, microseconds) in [
        ("2024-01-02T03:04:05Z", 0),
        ("2024-01-02t03:04:05z", 0),
        ("2024-01-02 03:04:05+00:00", 0),
        ("2024-01-02T06:04:05.5+03", 500_000),
        ("2024-01-02T06:34:05,25+0330", 250_000),
        ("2024-01-01T23:34:05.123456-03:30", 123_456),
        ("2024-01-02T05:04:12.1+02:00:07", 100_000),
        ("2024-01-02T03:04:05.1234569999999Z", 123_456),
        ("2024-01-02T03:04Z", -5_000_000),
        ("+2024-01-02T03:04:05-00:00", 0),
    ] {
        let read = DateTime::<Utc>::read_json(&format!("\"{text}\"")).unwrap_or_else(|reason| panic!("{reason}"));
        assert_eq!(read.timestamp_micros(), SECONDS * 1_000_000 + microseconds, "{text}");
    }
}

#[test]
fn what_is_no_moment_is_refused_with_an_example_of_one() {
    for text in [
        "",
        "now",
        "2024-01-02",
        "2024-13-02T03:04:05Z",
        "2023-02-29T03:04:05Z",
        "2024-01-02T24:00:00Z",
        "2024-01-02T03:60:05Z",
        "2024-01-02T03:04:61Z",
        "2024-01-02T03:04:05.Z",
        "2024-01-02T03:04:05+24:00",
        "2024-01-02T03:04:05+03:60",
        "2024-01-02T03:04:05Zoo",
        "24-01-02T03:04:05Z",
        "12024-01-02T03:04:05Z",
        "+262143-01-02T03:04:05Z",
        "-262143-01-02T03:04:05Z",
        "20240102T030405Z",
        "2024-01-02T03:04:05 Z",
        "２０２４-01-02T03:04:05Z",
    ] {
        let reason = is_refused::<DateTime<Utc>>(&format!("\"{text}\""));
        assert!(reason.contains("such as"), "{reason}");
        is_refused::<DateTime<FixedOffset>>(&format!("\"{text}\""));
    }
    is_refused::<DateTime<Utc>>("1704164645");
    is_refused::<NaiveDate>("\"2024-01-02T00:00:00\"");
    is_refused::<NaiveTime>("\"03:04:05Z\"");
}

#[test]
fn a_moment_needs_an_offset_and_the_reading_of_a_clock_has_none() {
    is_refused::<DateTime<Utc>>("\"2024-01-02T03:04:05\"");
    is_refused::<DateTime<FixedOffset>>("\"2024-01-02T03:04:05\"");
    is_refused::<NaiveDateTime>("\"2024-01-02T03:04:05Z\"");
}

#[test]
fn a_leap_second_is_the_last_moment_before_it() {
    let read = DateTime::<Utc>::read_json("\"2016-12-31T23:59:60.5Z\"").expect("a leap second");
    assert_eq!(read.to_rfc3339(), "2016-12-31T23:59:59.999999999+00:00");
    let leap = NaiveTime::from_hms_nano_opt(23, 59, 59, 1_500_000_000).expect("a leap second");
    assert_eq!(written(&leap), "\"23:59:59.999\"");
}

#[test]
fn the_ends_of_the_calendar_are_written_without_a_panic() {
    for offset in [east(86_399), east(-86_399)] {
        for moment in [DateTime::<Utc>::MAX_UTC, DateTime::<Utc>::MIN_UTC] {
            written(&moment);
            written(&moment.with_timezone(&offset));
            microseconds::write(&moment.with_timezone(&offset));
        }
        let edge = format!("\"-262000-01-01T00:00:00{offset}\"");
        let read = DateTime::<FixedOffset>::read_json(&edge).expect("within the margin");
        assert_eq!(written(&read), edge);
    }
}

#[test]
fn a_moment_comes_back_but_for_its_microseconds() {
    let mut dice = Dice::seeded(0x717e);
    for _ in 0..5_000 {
        let moment = utc(dice.roll().cast_signed() % 250_000_000_000_000_000);
        let lost = TimeDelta::microseconds(moment.timestamp_micros().rem_euclid(1_000));
        assert_eq!(DateTime::<Utc>::read_json(&written(&moment)), Ok(moment - lost));
        assert_eq!(NaiveDateTime::read_json(&written(&moment.naive_utc())), Ok((moment - lost).naive_utc()));
        let local = moment.with_timezone(&east(i32::try_from(dice.below(170_000)).expect("small") - 85_000));
        assert_eq!(DateTime::<FixedOffset>::read_json(&written(&local)), Ok(local - lost));
        assert_eq!(microseconds::read(&microseconds::write(&moment)), Ok(moment), "all six digits travel");
        assert_eq!(microseconds::read(&microseconds::write(&Some(local))), Ok(Some(local)));
        assert_eq!(microseconds::read(&microseconds::write(&moment.time())), Ok(moment.time()));
    }
}

#[test]
fn nothing_that_is_read_makes_us_panic() {
    let mut dice = Dice::seeded(0xbad);
    let seed = "\"-262000-12-31T23:59:60.999999999+23:59:59\"".as_bytes();
    for _ in 0..20_000 {
        let mut bytes = seed.to_vec();
        for _ in 0..dice.below(4) {
            let position = dice.below(bytes.len());
            bytes[position] = b"0123456789:-+TZ. \""[dice.below(18)];
        }
        let text = String::from_utf8(bytes).expect("ASCII");
        if let Ok(moment) = DateTime::<FixedOffset>::read_json(&text) {
            written(&moment);
        }
        let _ = (NaiveDateTime::read_json(&text), NaiveDate::read_json(&text), NaiveTime::read_json(&text));
    }
}

#[test]
fn microseconds_are_kept_where_a_field_asks_for_it() {
    assert_eq!(microseconds::write(&utc(SECONDS * 1_000_000 + 1)), "2024-01-02T03:04:05.000001Z");
    assert_eq!(microseconds::write(&utc(SECONDS * 1_000_000)), "2024-01-02T03:04:05.000000Z");
    assert_eq!(microseconds::write(&None::<NaiveTime>), Value::Null);
    assert_eq!(microseconds::read(&json!("2024-01-02T03:04:05Z")), Ok(utc(SECONDS * 1_000_000)));
    assert_eq!(microseconds::read(&Value::Null), Ok(None::<DateTime<Utc>>));
    assert!(microseconds::read::<DateTime<Utc>>(&json!(5)).is_err());
}

#[test]
fn a_table_without_offsets_may_mean_utc() {
    let naive = utc(SECONDS * 1_000_000).naive_utc();
    assert_eq!(naive_utc::write(&naive), "2024-01-02T03:04:05Z");
    assert_eq!(naive_utc::write(&None::<NaiveDateTime>), Value::Null);
    assert_eq!(naive_utc::read(&json!("2024-01-02T06:04:05+03:00")), Ok(naive));
    assert_eq!(naive_utc::read(&json!("2024-01-02T03:04:05Z")), Ok(Some(naive)));
    assert!(naive_utc::read::<NaiveDateTime>(&json!("2024-01-02T03:04:05")).is_err());
}

/// A format of an application's own: Kolibri's date-times carry the name of a zone, while the clock stays in UTC.
mod zoned {
    use super::*;

    #[derive(Debug, Clone, PartialEq)]
    pub(super) struct Zoned {
        pub(super) moment: DateTime<Utc>,
        pub(super) zone: String,
    }

    pub(super) fn write(value: &Zoned) -> Value {
        format!("{}({})", value.moment.format("%Y-%m-%d %H:%M:%S%.6f"), value.zone).into()
    }

    pub(super) fn read(value: &Value) -> Result<Zoned, String> {
        let parts = value.as_str().and_then(|text| text.strip_suffix(')')?.split_once('('));
        let (clock, zone) = parts.ok_or_else(|| format!("expected a moment with its zone, found {value}"))?;
        naive_utc::read::<NaiveDateTime>(&format!("{clock}Z").into())
            .map(|moment| Zoned { moment: moment.and_utc(), zone: zone.to_owned() })
    }
}

#[test]
fn an_application_may_have_a_format_of_its_own() {
    let text = Value::from("2024-12-22 00:46:41.999999(Africa/Nairobi)");
    let read = zoned::read(&text).expect("a moment with its zone");
    assert_eq!((read.zone.as_str(), read.moment.timestamp_micros()), ("Africa/Nairobi", 1_734_828_401_999_999));
    assert_eq!(zoned::write(&read), text);
    assert!(zoned::read(&json!("2024-12-22 00:46:41")).is_err());
}
