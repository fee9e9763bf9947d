//! Formats for moments that a field asks for with `with`.

pub mod microseconds {
    //! A moment or clock (or an `Option` of one) with all six digits of its microseconds: `2024-12-22T00:46:41.999999Z`.
    //!
    //! Python peers read it. Whether they write it so is for their models to say; what is read may have any fraction.

    use chrono::{DateTime, FixedOffset, NaiveDateTime, NaiveTime, Utc};
    use serde_json::Value;

    use super::super::{FieldValue, Fraction, Moment};

    /// A field that this module serves.
    pub trait Field: FieldValue {
        /// Its text, or nothing.
        fn text(&self) -> Option<String>;
    }

    macro_rules! field {
        ($($kind:ty),+) => {$(
            impl Field for $kind {
                fn text(&self) -> Option<String> {
                    let mut text = String::with_capacity(32);
                    Moment::write(self, &mut text, Fraction::Microseconds);
                    Some(text)
                }
            }
        )+};
    }

    field!(DateTime<Utc>, DateTime<FixedOffset>, NaiveDateTime, NaiveTime);

    impl<T: Field> Field for Option<T> {
        fn text(&self) -> Option<String> {
            self.as_ref().and_then(T::text)
        }
    }

    /// Writes the text.
    pub fn write<T: Field>(value: &T) -> Value {
        value.text().into()
    }

    /// Reads what a field of this type without the module reads.
    ///
    /// # Errors
    /// It has another form.
    pub fn read<T: Field>(value: &Value) -> Result<T, String> {
        T::read_json(&value.to_string())
    }
}

pub mod naive_utc {
    //! A `NaiveDateTime` (or `Option<NaiveDateTime>`) that is meant in UTC, written with a `Z`.
    //!
    //! This is for tables that have no room for an offset, and meets a Django peer with `USE_TZ`. A text with another offset is
    //! turned into UTC; one without is refused.

    use chrono::{DateTime, NaiveDateTime, Utc};
    use serde_json::Value;

    use super::super::FieldValue;

    /// A field that this module serves.
    pub trait Field: Sized {
        /// The same, as a moment that knows that it is in UTC.
        type Moment: FieldValue;

        /// The moment that the field means.
        fn to_moment(&self) -> Self::Moment;

        /// The field that means this moment.
        fn of_moment(moment: Self::Moment) -> Self;
    }

    impl Field for NaiveDateTime {
        type Moment = DateTime<Utc>;

        fn to_moment(&self) -> DateTime<Utc> {
            self.and_utc()
        }

        fn of_moment(moment: DateTime<Utc>) -> Self {
            moment.naive_utc()
        }
    }

    impl<T: Field> Field for Option<T> {
        type Moment = Option<T::Moment>;

        fn to_moment(&self) -> Self::Moment {
            self.as_ref().map(T::to_moment)
        }

        fn of_moment(moment: Self::Moment) -> Self {
            moment.map(T::of_moment)
        }
    }

    /// Writes the moment, cut to milliseconds.
    pub fn write<T: Field>(value: &T) -> Value {
        let mut json = String::with_capacity(32);
        value.to_moment().write_json(&mut json);
        serde_json::from_str(&json).expect("a field's value is written as JSON")
    }

    /// Reads a moment.
    ///
    /// # Errors
    /// It is no date and time, or has no offset.
    pub fn read<T: Field>(value: &Value) -> Result<T, String> {
        T::Moment::read_json(&value.to_string()).map(T::of_moment)
    }
}
