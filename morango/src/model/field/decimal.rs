//! Decimal numbers, of `rust_decimal` or `bigdecimal`, each behind a feature of that name.
//!
//! They travel as texts, which keep the digits that were meant: `"1.5000"`. A bare number is read too, from its text as it
//! stands and not by way of a floating-point number. Python writes very small and very large ones with an exponent
//! (`"0E-10"`), and so do we; a number that the type would have to round is refused.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::numbers::is_number;
use super::text::read_text;
use super::{FieldValue, mismatch};
use crate::limits;

/// The text of a decimal number, checked before any library multiplies it out.
fn read_digits(json: &str) -> Result<Cow<'_, str>, String> {
    let text = if is_number(json) { Cow::Borrowed(json) } else { read_text(json, EXPECTED)? };
    let (digits, exponent) = match text.split_once(['e', 'E']) {
        Some((digits, exponent)) => (digits, exponent.parse::<i32>().ok()),
        None => (&*text, Some(0)),
    };
    let unsigned = digits.strip_prefix(['-', '+']).unwrap_or(digits);
    let is_plain = unsigned.contains(|digit: char| digit.is_ascii_digit())
        && unsigned.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let is_bounded = unsigned.len() <= limits::DECIMAL_DIGITS_MAX
        && exponent.is_some_and(|exponent| exponent.unsigned_abs() as usize <= limits::DECIMAL_DIGITS_MAX);
    if is_plain && is_bounded { Ok(text) } else { Err(mismatch(EXPECTED, json)) }
}

const EXPECTED: &str = "a decimal number";

/// Appends `digits * 10^exponent` as Python's `str(Decimal)` spells it: `1.5000`, `1E+3`, `0E-10`.
fn write_spelled(json: &mut String, is_negative: bool, digits: &str, exponent: i64) {
    let sign = if is_negative { "-" } else { "" };
    let count = i64::try_from(digits.len()).expect("a text in memory is that short");
    // How many digits stand before the point; below one, there are zeros after it.
    let before = count + exponent;
    if exponent > 0 || before <= -6 {
        let (first, rest) = digits.split_at(1);
        let point = if rest.is_empty() { "" } else { "." };
        write!(json, "\"{sign}{first}{point}{rest}E{:+}\"", before - 1)
    } else if exponent == 0 {
        write!(json, "\"{sign}{digits}\"")
    } else if let Ok(before @ 1..) = usize::try_from(before) {
        write!(json, "\"{sign}{}.{}\"", &digits[..before], &digits[before..])
    } else {
        write!(json, "\"{sign}0.{}{digits}\"", &"000000"[..usize::try_from(-before).expect("at most five zeros")])
    }
    .expect("a String takes every text");
}

#[cfg(feature = "rust_decimal")]
impl FieldValue for rust_decimal::Decimal {
    fn write_json(&self, json: &mut String) {
        let digits = self.mantissa().unsigned_abs().to_string();
        write_spelled(json, self.is_sign_negative(), &digits, -i64::from(self.scale()));
    }

    fn read_json(json: &str) -> Result<Self, String> {
        let text = read_digits(json)?;
        if text.contains(['e', 'E']) { read_scientific(&text) } else { Self::from_str_exact(&text).ok() }
            .ok_or_else(|| mismatch("a decimal number of at most 28 digits", json))
    }
}

/// Reads `DIGITS E POWER` by moving the point, so that nothing is rounded.
#[cfg(feature = "rust_decimal")]
fn read_scientific(text: &str) -> Option<rust_decimal::Decimal> {
    let (digits, power) = text.split_once(['e', 'E'])?;
    let mut number = rust_decimal::Decimal::from_str_exact(digits).ok()?;
    let scale = i64::from(number.scale()) - power.parse::<i64>().ok()?;
    if scale >= 0 {
        number.set_scale(u32::try_from(scale).ok()?).ok()?;
        return Some(number);
    }
    number.set_scale(0).expect("no digits after the point is a scale that every number can have");
    let factor = 10_i128.checked_pow(u32::try_from(-scale).ok()?)?;
    number.checked_mul(rust_decimal::Decimal::try_from_i128_with_scale(factor, 0).ok()?)
}

#[cfg(feature = "bigdecimal")]
impl FieldValue for bigdecimal::BigDecimal {
    fn write_json(&self, json: &mut String) {
        let (digits, scale) = self.as_bigint_and_scale();
        let (sign, digits) = (digits.sign(), digits.magnitude().to_string());
        write_spelled(json, sign == bigdecimal::num_bigint::Sign::Minus, &digits, scale.saturating_neg());
    }

    fn read_json(json: &str) -> Result<Self, String> {
        read_digits(json)?.parse().map_err(|_| mismatch(EXPECTED, json))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{is_refused, travels_as, written};
    use super::*;
    use crate::scope::testing::Dice;

    /// What Django's encoder writes for some of its decimals.
    const AS_PYTHON_WRITES: [&str; 5] = ["\"1.5000\"", "\"0E-10\"", "\"1E+3\"", "\"-0.00\"", "\"-12345678.9012\""];
    const NO_DECIMALS: [&str; 14] = [
        "\"NaN\"",
        "\"Infinity\"",
        "\"\"",
        "\".\"",
        "\"1_000\"",
        "\"1,5\"",
        "\"1e\"",
        "\"1e1001\"",
        "\"1E-1000000000\"",
        "\"--1\"",
        "\"1.2.3\"",
        "null",
        "true",
        "[1]",
    ];

    #[test]
    fn decimals_are_spelled_as_python_spells_them() {
        for (digits, exponent, python) in [
            ("15", -1, "1.5"),
            ("15", -3, "0.015"),
            ("1", -6, "0.000001"),
            ("1", -7, "1E-7"),
            ("123", -8, "0.00000123"),
            ("123", -9, "1.23E-7"),
            ("0", -6, "0.000000"),
            ("0", -7, "0E-7"),
            ("0", 2, "0E+2"),
            ("12", 2, "1.2E+3"),
            ("1", 0, "1"),
            ("12345678901234567890123456789012", -5, "123456789012345678901234567.89012"),
        ] {
            for (is_negative, sign) in [(false, ""), (true, "-")] {
                let mut json = String::new();
                write_spelled(&mut json, is_negative, digits, exponent);
                assert_eq!(json, format!("\"{sign}{python}\""));
            }
        }
    }

    #[cfg(feature = "rust_decimal")]
    mod of_rust_decimal {
        use rust_decimal::Decimal;

        use super::super::super::testing::low_bits;
        use super::*;

        #[test]
        fn a_decimal_travels_as_a_text_with_all_its_digits() {
            travels_as(&Decimal::new(15_000, 4), "\"1.5000\"");
            travels_as(&Decimal::MAX, "\"79228162514264337593543950335\"");
            let as_rust_writes = ["1.5000", "0.0000000000", "1000", "0.00", "-12345678.9012"];
            for (json, expected) in AS_PYTHON_WRITES.iter().zip(as_rust_writes) {
                let number = Decimal::read_json(json).unwrap_or_else(|reason| panic!("{reason}"));
                assert_eq!(number.to_string(), expected);
                assert_eq!(written(&number), json.replace("-0.00", "0.00").replace("1E+3", "1000"));
            }
            assert_eq!(Decimal::read_json("1.10").map(|number| number.to_string()).as_deref(), Ok("1.10"));
            assert_eq!(Decimal::read_json("25e-1"), Ok(Decimal::new(25, 1)));
            assert_eq!(Decimal::read_json("\"1.5e3\""), Ok(Decimal::new(1_500, 0)));
        }

        #[test]
        fn what_would_be_rounded_or_is_no_decimal_is_refused() {
            for json in NO_DECIMALS.iter().chain(&["1e29", "1e-40", "\"0.12345678901234567890123456789\""]) {
                is_refused::<Decimal>(json);
            }
        }

        #[test]
        fn every_decimal_comes_back() {
            let mut dice = Dice::seeded(0xdec1);
            for _ in 0..5_000 {
                let number = Decimal::from_parts(
                    low_bits(&mut dice),
                    low_bits(&mut dice),
                    if dice.below(2) == 0 { 0 } else { low_bits(&mut dice) },
                    dice.below(2) == 0,
                    u32::try_from(dice.below(29)).expect("small"),
                );
                let back = Decimal::read_json(&written(&number)).expect("it was written");
                assert_eq!((back, back.scale()), (number, number.scale()));
            }
        }
    }

    #[cfg(feature = "bigdecimal")]
    mod of_bigdecimal {
        use bigdecimal::BigDecimal;

        use super::*;

        #[test]
        fn a_decimal_travels_as_a_text_with_all_its_digits() {
            travels_as(&BigDecimal::new(15_000.into(), 4), "\"1.5000\"");
            travels_as(&BigDecimal::new((-1).into(), 2), "\"-0.01\"");
            for json in AS_PYTHON_WRITES {
                let number = BigDecimal::read_json(json).unwrap_or_else(|reason| panic!("{reason}"));
                let python: BigDecimal = json.trim_matches('"').parse().expect("a decimal");
                assert_eq!(number, python);
                assert_eq!(written(&number), json.replace("-0.00", "0.00"), "there is no negative zero here");
            }
            assert_eq!(BigDecimal::read_json("1.10").map(|number| number.to_string()).as_deref(), Ok("1.10"));
            let long = format!("\"0.{}1\"", "0".repeat(900));
            BigDecimal::read_json(&long).expect("long, but bounded");
        }

        #[test]
        fn what_is_no_decimal_or_would_grow_without_bound_is_refused() {
            for json in NO_DECIMALS {
                is_refused::<BigDecimal>(json);
            }
            is_refused::<BigDecimal>(&format!("\"{}\"", "9".repeat(1_001)));
            is_refused::<BigDecimal>(&"9".repeat(1_001));
        }

        #[test]
        fn every_decimal_comes_back() {
            let mut dice = Dice::seeded(0xdec2);
            for _ in 0..5_000 {
                let scale = i64::try_from(dice.below(60)).expect("small") - 30;
                let number =
                    BigDecimal::new((i128::from(dice.roll().cast_signed()) * i128::from(dice.roll())).into(), scale);
                assert_eq!(BigDecimal::read_json(&written(&number)), Ok(number));
            }
        }
    }
}
