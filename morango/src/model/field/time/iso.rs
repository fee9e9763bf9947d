//! ISO 8601 in its extended form: written in Django's way, read from anyone's.

use chrono::{Datelike as _, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, Timelike as _};

/// How much of a second is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fraction {
    /// Three digits, or none where there are no microseconds: `.000` says that there were some.
    Milliseconds,
    /// Six digits, always.
    Microseconds,
}

/// The years that are read: those of chrono's calendar, but for a margin at both ends in which its arithmetic could fail.
const YEAR_MAX: i32 = 262_000;

/// Appends `2024-12-22`. A year of more than four digits, or before the first, has a sign.
pub(super) fn write_date(text: &mut String, date: NaiveDate) {
    let year = date.year().unsigned_abs();
    if !(0..=9_999).contains(&date.year()) {
        text.push(if date.year() < 0 { '-' } else { '+' });
    }
    let digits = match year {
        0..=9_999 => 4,
        10_000..=99_999 => 5,
        _ => 6,
    };
    push_digits(text, year, digits);
    text.push('-');
    push_digits(text, date.month(), 2);
    text.push('-');
    push_digits(text, date.day(), 2);
}

/// Appends `00:46:41.999`. A leap second, which Python has not, is written as the last moment before it ends.
pub(super) fn write_clock(text: &mut String, clock: NaiveTime, fraction: Fraction) {
    push_digits(text, clock.hour(), 2);
    text.push(':');
    push_digits(text, clock.minute(), 2);
    text.push(':');
    push_digits(text, clock.second(), 2);
    let microseconds = (clock.nanosecond() / 1_000).min(999_999);
    match fraction {
        Fraction::Milliseconds if microseconds == 0 => {}
        Fraction::Milliseconds => {
            text.push('.');
            push_digits(text, microseconds / 1_000, 3);
        }
        Fraction::Microseconds => {
            text.push('.');
            push_digits(text, microseconds, 6);
        }
    }
}

/// Appends date and clock with a `T` between them.
pub(super) fn write_local(text: &mut String, local: NaiveDateTime, fraction: Fraction) {
    write_date(text, local.date());
    text.push('T');
    write_clock(text, local.time(), fraction);
}

/// Appends `Z`, `+03:00`, or `+02:00:07` as some cities had it once.
pub(super) fn write_offset(text: &mut String, offset: FixedOffset) {
    let seconds = offset.local_minus_utc();
    if seconds == 0 {
        text.push('Z');
        return;
    }
    text.push(if seconds < 0 { '-' } else { '+' });
    let seconds = seconds.unsigned_abs();
    push_digits(text, seconds / 3_600, 2);
    text.push(':');
    push_digits(text, seconds / 60 % 60, 2);
    if !seconds.is_multiple_of(60) {
        text.push(':');
        push_digits(text, seconds % 60, 2);
    }
}

fn push_digits(text: &mut String, number: u32, count: usize) {
    for position in (0..count).rev() {
        let digit = number / 10_u32.pow(u32::try_from(position).expect("a handful of digits")) % 10;
        text.push(char::from_digit(digit, 10).expect("a remainder of ten is a digit"));
    }
}

/// Reads one part after another; `None` where the text has another form.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self(text.as_bytes())
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }

    /// A date: `2024-12-22`, or with a sign and more digits of the year.
    pub(super) fn date(&mut self) -> Option<NaiveDate> {
        let sign = self.skip(b"+-");
        let length = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let is_form_right = if sign.is_some() { (4..=6).contains(&length) } else { length == 4 };
        if !is_form_right {
            return None;
        }
        let year = i32::try_from(self.digits(length)?).ok().filter(|year| *year <= YEAR_MAX)?;
        self.skip(b"-")?;
        let month = self.digits(2)?;
        self.skip(b"-")?;
        let day = self.digits(2)?;
        NaiveDate::from_ymd_opt(if sign == Some(b'-') { -year } else { year }, month, day)
    }

    /// A clock: `00:46`, `00:46:41`, `00:46:41.999`. Digits past the ninth are cut; a leap second is the last moment before it.
    pub(super) fn clock(&mut self) -> Option<NaiveTime> {
        let hour = self.digits(2)?;
        self.skip(b":")?;
        let minute = self.digits(2)?;
        if self.skip(b":").is_none() {
            return NaiveTime::from_hms_opt(hour, minute, 0);
        }
        let second = self.digits(2)?;
        let nanoseconds = if self.skip(b".,").is_some() { self.fraction()? } else { 0 };
        if second == 60 {
            return NaiveTime::from_hms_nano_opt(hour, minute, 59, 999_999_999);
        }
        NaiveTime::from_hms_nano_opt(hour, minute, second, nanoseconds)
    }

    /// Date and clock, with `T` or a blank between them.
    pub(super) fn local(&mut self) -> Option<NaiveDateTime> {
        let date = self.date()?;
        self.skip(b"Tt ")?;
        Some(date.and_time(self.clock()?))
    }

    /// An offset: `Z`, `+03`, `+0300`, `+03:00`, `+02:00:07`.
    pub(super) fn offset(&mut self) -> Option<FixedOffset> {
        if self.skip(b"Zz").is_some() {
            return FixedOffset::east_opt(0);
        }
        let sign = if self.skip(b"+-")? == b'-' { -1 } else { 1 };
        let mut parts = [self.digits(2)?, 0, 0];
        for part in &mut parts[1..] {
            if self.is_at_end() {
                break;
            }
            let _ = self.skip(b":");
            *part = self.digits(2).filter(|part| *part < 60)?;
        }
        let seconds = parts[0] * 3_600 + parts[1] * 60 + parts[2];
        FixedOffset::east_opt(sign * i32::try_from(seconds).expect("two digits of hours are few seconds"))
    }

    /// Takes the next byte where it is one of these.
    pub(super) fn skip(&mut self, any_of: &[u8]) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        any_of.contains(first).then(|| {
            self.0 = rest;
            *first
        })
    }

    /// Takes exactly so many digits.
    fn digits(&mut self, count: usize) -> Option<u32> {
        let (digits, rest) = self.0.split_at_checked(count)?;
        let number = digits.iter().try_fold(0, |number, byte| Some(number * 10 + char::from(*byte).to_digit(10)?))?;
        self.0 = rest;
        Some(number)
    }

    /// Takes the digits after the point, as nanoseconds.
    fn fraction(&mut self) -> Option<u32> {
        let length = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, rest) = self.0.split_at(length);
        self.0 = rest;
        let kept = digits.iter().chain(std::iter::repeat(&b'0')).take(9);
        (length > 0).then(|| kept.fold(0, |number, byte| number * 10 + u32::from(byte - b'0')))
    }
}
