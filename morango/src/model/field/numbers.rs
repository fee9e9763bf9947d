//! Numbers and truth values.
//!
//! A whole number is read from `5` and also from `5.0` or `5e0`, which say the same. A floating-point number is written
//! with the fewest digits that give it back, spelled as Python spells it (`1e+16`, `2.5e-07`). What is not finite has no form
//! in JSON, though Python writes it there bare: we write it as the texts `"NaN"`, `"Infinity"` and `"-Infinity"`, which
//! keep it, and which Django's float field reads.

use std::fmt::Write as _;

use super::{FieldValue, TemplateValue, mismatch};

const FITS: &str = "a String takes every text";

macro_rules! whole_number {
    ($($kind:ty),+) => {$(
        impl FieldValue for $kind {
            fn write_json(&self, json: &mut String) {
                write!(json, "{self}").expect(FITS);
            }

            fn read_json(json: &str) -> Result<Self, String> {
                if let Ok(number) = serde_json::from_str(json) {
                    return Ok(number);
                }
                read_whole(json).and_then(|number| Self::try_from(number).ok()).ok_or_else(|| {
                    mismatch(&format!("a whole number from {} to {}", Self::MIN, Self::MAX), json)
                })
            }
        }

        impl TemplateValue for $kind {
            fn template_text(&self) -> Option<String> {
                Some(self.to_string())
            }
        }
    )+};
}

whole_number!(i8, i16, i32, i64, u8, u16, u32, u64);

macro_rules! floating_number {
    ($($kind:ident),+) => {$(
        impl FieldValue for $kind {
            fn write_json(&self, json: &mut String) {
                if self.is_finite() {
                    let start = json.len();
                    write!(json, "{self:?}").expect(FITS);
                    spell_exponent(json, start);
                } else if self.is_nan() {
                    json.push_str(NOT_A_NUMBER);
                } else {
                    json.push_str(if *self > 0.0 { INFINITY } else { NEGATIVE_INFINITY });
                }
            }

            fn read_json(json: &str) -> Result<Self, String> {
                match json {
                    NOT_A_NUMBER => Ok($kind::NAN),
                    INFINITY => Ok($kind::INFINITY),
                    NEGATIVE_INFINITY => Ok($kind::NEG_INFINITY),
                    _ => Some(json)
                        .filter(|json| is_number(json))
                        .and_then(|json| json.parse::<$kind>().ok())
                        .filter(|number| number.is_finite())
                        .ok_or_else(|| mismatch("a number", json)),
                }
            }
        }
    )+};
}

floating_number!(f32, f64);

const NOT_A_NUMBER: &str = "\"NaN\"";
const INFINITY: &str = "\"Infinity\"";
const NEGATIVE_INFINITY: &str = "\"-Infinity\"";

/// Turns the exponent of the number that begins at `start` from Rust's spelling (`1e16`) into Python's (`1e+16`).
fn spell_exponent(json: &mut String, start: usize) {
    if let Some(position) = json[start..].find('e') {
        let exponent: i32 = json[start + position + 1..].parse().expect("an exponent is a whole number");
        json.truncate(start + position);
        let sign = if exponent < 0 { '-' } else { '+' };
        write!(json, "e{sign}{:02}", exponent.unsigned_abs()).expect(FITS);
    }
}

/// Whether a JSON value is a number. Rust would also read `inf`, `+1` and `.5`, which JSON does not have.
pub(super) fn is_number(json: &str) -> bool {
    json.starts_with(|first: char| first == '-' || first.is_ascii_digit())
        && serde_json::from_str::<&serde_json::value::RawValue>(json).is_ok()
}

/// A whole number that is written with a fraction or an exponent, as long as a floating-point number holds it exactly.
fn read_whole(json: &str) -> Option<i64> {
    const EXACT_MAX: f64 = 9_007_199_254_740_991.0;
    let number = f64::read_json(json).ok()?;
    #[expect(clippy::cast_possible_truncation, reason = "it has no fraction and is within what both types hold")]
    (number.abs() <= EXACT_MAX && number.fract() == 0.0).then_some(number as i64)
}

impl FieldValue for bool {
    fn write_json(&self, json: &mut String) {
        json.push_str(if *self { "true" } else { "false" });
    }

    fn read_json(json: &str) -> Result<Self, String> {
        match json {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(mismatch("true or false", json)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{is_refused, low_bits, travels_as, written};
    use super::*;
    use crate::scope::testing::Dice;

    /// What Django's encoder writes for the double of these bits.
    const AS_PYTHON_WRITES: [(u64, &str); 22] = [
        (0x3ff0_0000_0000_0000, "1.0"),
        (0x8000_0000_0000_0000, "-0.0"),
        (0x4341_c379_37e0_8000, "1e+16"),
        (0x3ee4_f8b5_88e3_68f1, "1e-05"),
        (0x3f1a_36e2_eb1c_432d, "0.0001"),
        (0x4480_f0cf_064d_d592, "1e+22"),
        (0x0000_0000_0000_0001, "5e-324"),
        (0x3fb9_9999_9999_999a, "0.1"),
        (0x4340_0000_0000_0000, "9007199254740992.0"),
        (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
        (0x3e90_c6f7_a0b5_ed8d, "2.5e-07"),
        (0xf2a7_4de4_52e6_b438, "-1.989032661366619e+244"),
        (0x0c5c_7fd0_a6a3_a450, "3.980498358697587e-249"),
        (0x1818_e811_892f_902b, "1.3647584518757569e-192"),
        (0x36f6_75cc_81e7_4ef5, "6.294675241195386e-44"),
        (0x3d9c_1724_11e2_0b8f, "6.387016158513563e-12"),
        (0x8d11_6ece_1738_f7d9, "-9.973130378568733e-246"),
        (0x0f21_ddb6_6cad_4a26, "8.779753225680271e-236"),
        (0xa170_b338_3926_3059, "-1.306052388527796e-147"),
        (0x0fd6_30f1_f29d_0da9, "2.233386999150174e-232"),
        (0x3898_d190_f9eb_dacc, "4.6678633181812096e-36"),
        (0x6b4c_b242_4a23_d596, "7.370437700706684e+208"),
    ];

    #[test]
    fn whole_numbers_travel_as_digits_to_their_limits() {
        travels_as(&i8::MIN, "-128");
        travels_as(&i16::MAX, "32767");
        travels_as(&0_i32, "0");
        travels_as(&i64::MIN, "-9223372036854775808");
        travels_as(&u8::MAX, "255");
        travels_as(&u16::MAX, "65535");
        travels_as(&u32::MAX, "4294967295");
        travels_as(&u64::MAX, "18446744073709551615");
    }

    #[test]
    fn a_whole_number_may_be_spelled_with_a_fraction() {
        for json in ["5.0", "5e0", "0.5E1", "5.000"] {
            assert_eq!(i16::read_json(json), Ok(5), "{json}");
        }
        assert_eq!(i64::read_json("-1e3"), Ok(-1000));
        for json in ["5.5", "1e400", "9007199254740993.0", "\"5\"", "true", "null", "[5]", "", "5 5", "+5", "NaN"] {
            is_refused::<i64>(json);
        }
    }

    #[test]
    fn a_whole_number_that_does_not_fit_is_refused_with_the_limits() {
        assert_eq!(i8::read_json("128"), Err("expected a whole number from -128 to 127, found 128".to_owned()));
        is_refused::<u32>("-1");
        is_refused::<i64>("9223372036854775808");
        is_refused::<u64>("1e30");
    }

    #[test]
    fn floating_point_numbers_are_written_as_python_writes_them() {
        for (bits, json) in AS_PYTHON_WRITES {
            let number = f64::from_bits(bits);
            assert_eq!(written(&number), json);
            assert_eq!(f64::read_json(json).map(f64::to_bits), Ok(bits), "{json}");
        }
        travels_as(&0.1_f32, "0.1");
        travels_as(&f32::MAX, "3.4028235e+38");
    }

    #[test]
    fn every_finite_number_comes_back_with_the_same_bits() {
        let mut dice = Dice::seeded(0xf10a7);
        for _ in 0..20_000 {
            let (double, single) = (f64::from_bits(dice.roll()), f32::from_bits(low_bits(&mut dice)));
            if double.is_finite() {
                assert_eq!(f64::read_json(&written(&double)).map(f64::to_bits), Ok(double.to_bits()), "{double:?}");
            }
            if single.is_finite() {
                assert_eq!(f32::read_json(&written(&single)).map(f32::to_bits), Ok(single.to_bits()), "{single:?}");
            }
        }
    }

    #[test]
    fn what_is_not_finite_travels_as_text() {
        travels_as(&f64::INFINITY, "\"Infinity\"");
        travels_as(&f32::NEG_INFINITY, "\"-Infinity\"");
        assert_eq!(written(&f64::NAN), "\"NaN\"");
        assert!(f64::read_json("\"NaN\"").expect("a number").is_nan());
        for json in ["NaN", "Infinity", "1e999", "null", "\"1.5\"", "inf", ".5", "5.", "01", "", "-", "{}"] {
            assert!(is_refused::<f64>(json).starts_with("expected a number"), "{json}");
        }
        is_refused::<f32>("1e39");
    }

    #[test]
    fn a_whole_number_is_a_floating_point_number_too() {
        assert_eq!(f64::read_json("3"), Ok(3.0));
        assert_eq!(f32::read_json("-0"), Ok(0.0));
    }

    #[test]
    fn truth_is_true_or_false() {
        travels_as(&true, "true");
        travels_as(&false, "false");
        for json in ["1", "0", "\"true\"", "null", "True"] {
            is_refused::<bool>(json);
        }
    }

    #[test]
    fn a_whole_number_can_stand_in_a_template() {
        assert_eq!((-7_i64).template_text().as_deref(), Some("-7"));
    }
}
