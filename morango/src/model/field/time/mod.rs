//! Moments, days and clocks, as ISO 8601.
//!
//! *Written* as Django's encoder does: `2024-12-22T00:46:41.999Z`. The fraction is cut to milliseconds, and left out where there
//! are no microseconds at all. **So microseconds are lost on the way**, as they are between Python peers; a field that must
//! keep them says `with = morango::model::field::microseconds`, provided that the peers' models agree.
//!
//! *Read* is every common form: a `T` or a blank between day and clock, seconds or none, a fraction of any length, an offset as
//! `Z`, `+03`, `+0300` or `+03:00`. A moment without an offset could be any of two dozen: it is refused where the field is a
//! moment in the world (`DateTime`), as one with an offset is refused where the field is a mere reading of some clock
//! (`NaiveDateTime`). Where the table has no room for an offset and all moments are meant in UTC, say
//! `with = morango::model::field::naive_utc`.
//!
//! No peer's text makes a leap second or a year that arithmetic cannot take.

mod iso;
mod with;

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, Offset as _, Utc};

use super::text::read_text;
use super::{FieldValue, mismatch};
use iso::{Fraction, Reader};

pub use with::{microseconds, naive_utc};

/// A moment, day or clock. Its fraction may be written in two ways.
trait Moment: Sized {
    const EXPECTED: &str;

    fn write(&self, text: &mut String, fraction: Fraction);

    fn read(reader: &mut Reader<'_>) -> Option<Self>;
}

/// Writes through [`Moment`], as Django does; reads through it.
macro_rules! moment {
    ($($kind:ty),+) => {$(
        impl FieldValue for $kind {
            fn write_json(&self, json: &mut String) {
                json.push('"');
                Moment::write(self, json, Fraction::Milliseconds);
                json.push('"');
            }

            fn read_json(json: &str) -> Result<Self, String> {
                let text = read_text(json, Self::EXPECTED)?;
                let mut reader = Reader::new(&text);
                let read: Option<Self> = Moment::read(&mut reader);
                read.filter(|_| reader.is_at_end()).ok_or_else(|| mismatch(Self::EXPECTED, json))
            }
        }
    )+};
}

moment!(DateTime<Utc>, DateTime<FixedOffset>, NaiveDateTime, NaiveDate, NaiveTime);

impl Moment for DateTime<Utc> {
    const EXPECTED: &str = "a date and time with an offset, such as \"2024-12-22T00:46:41.999Z\"";

    fn write(&self, text: &mut String, fraction: Fraction) {
        iso::write_local(text, self.naive_utc(), fraction);
        text.push('Z');
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let local = reader.local()?;
        let offset = reader.offset()?;
        local.checked_sub_offset(offset).map(|utc| utc.and_utc())
    }
}

impl Moment for DateTime<FixedOffset> {
    const EXPECTED: &str = DateTime::<Utc>::EXPECTED;

    fn write(&self, text: &mut String, fraction: Fraction) {
        // Within hours of the end of chrono's calendar the local reading does not exist.
        let (local, offset) = match self.naive_utc().checked_add_offset(*self.offset()) {
            Some(local) => (local, *self.offset()),
            None => (self.naive_utc(), Utc.fix()),
        };
        iso::write_local(text, local, fraction);
        iso::write_offset(text, offset);
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let local = reader.local()?;
        let offset = reader.offset()?;
        local.checked_sub_offset(offset).map(|utc| Self::from_naive_utc_and_offset(utc, offset))
    }
}

impl Moment for NaiveDateTime {
    const EXPECTED: &str = "a date and time without an offset, such as \"2024-12-22T00:46:41.999\"";

    fn write(&self, text: &mut String, fraction: Fraction) {
        iso::write_local(text, *self, fraction);
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        reader.local()
    }
}

impl Moment for NaiveTime {
    const EXPECTED: &str = "a time of day, such as \"00:46:41.999\"";

    fn write(&self, text: &mut String, fraction: Fraction) {
        iso::write_clock(text, *self, fraction);
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        reader.clock()
    }
}

impl Moment for NaiveDate {
    const EXPECTED: &str = "a date, such as \"2024-12-22\"";

    /// A day has no fraction.
    fn write(&self, text: &mut String, _: Fraction) {
        iso::write_date(text, *self);
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        reader.date()
    }
}

#[cfg(test)]
mod tests;
