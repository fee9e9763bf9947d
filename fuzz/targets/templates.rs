//! Templates and their parameters: filled as Python fills them, and never into something wider than was meant.

#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use morango::limits;
use morango::scope::{Filter, Reach, ScopeDefinition, ScopeDefinitionSource, ScopeParams, Template};
use morango_fuzz::{is_good_prefix, separates};
use serde_json::Value;

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    template: &'a str,
    params: Vec<(&'a str, &'a str)>,
    json: &'a str,
    values: [Option<&'a str>; 2],
}

fuzz_target!(|input: Input<'_>| {
    let value = |name: &str| {
        let found = input.params.iter().rev().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    a_template_is_filled_as_python_fills_it(input.template, &value);
    made_parameters_are_read_back(&input.params);
    read_parameters_are_kept(input.json);
    let values = ["a", "b"].into_iter().zip(input.values).filter_map(|(name, value)| Some((name, value?)));
    if let Ok(params) = ScopeParams::new(values) {
        a_scope_reaches_what_its_templates_say(&params);
    }
});

/// What a template is made of: a text, or a name with its spelling; `None` for a dollar sign that begins nothing.
fn pieces(template: &str) -> Vec<Option<(String, Option<String>)>> {
    let is_first = |letter: char| letter.is_ascii_alphabetic() || letter == '_';
    let is_further = |letter: char| is_first(letter) || letter.is_ascii_digit();
    let mut pieces = Vec::new();
    let mut rest: Vec<char> = template.chars().collect();
    while let Some(letter) = rest.first().copied() {
        let after = &rest[1..];
        let (opening, name_at) = if after.first() == Some(&'{') { (2, &after[1..]) } else { (1, after) };
        let name: String = match name_at.first() {
            Some(first) if is_first(*first) => {
                name_at.iter().copied().take_while(|letter| is_further(*letter)).collect()
            }
            _ => String::new(),
        };
        let closes = opening == 1 || name_at.get(name.len()) == Some(&'}');
        let taken = if letter != '$' {
            pieces.push(Some((letter.to_string(), None)));
            1
        } else if after.first() == Some(&'$') {
            pieces.push(Some(("$".to_owned(), None)));
            2
        } else if !name.is_empty() && closes {
            let length = name.len() + if opening == 2 { 3 } else { 1 };
            pieces.push(Some((name, Some(rest[..length].iter().collect()))));
            length
        } else {
            pieces.push(None);
            1
        };
        rest.drain(..taken);
    }
    pieces
}

fn a_template_is_filled_as_python_fills_it(text: &str, value: &dyn Fn(&str) -> Option<String>) {
    let pieces = pieces(text);
    let loose = Template::parse_loose(text);
    let safe: String = pieces
        .iter()
        .map(|piece| match piece {
            None => "$".to_owned(),
            Some((literal, None)) => literal.clone(),
            Some((name, Some(written))) => value(name).unwrap_or_else(|| written.clone()),
        })
        .collect();
    assert_eq!((loose.fill_safe(value), loose.as_str()), (safe.clone(), text));
    let Ok(template) = Template::parse(text) else {
        assert!(pieces.contains(&None), "{text:?}");
        return;
    };
    assert!(!pieces.contains(&None), "{text:?}");
    let names: Vec<&String> = pieces.iter().flatten().filter(|piece| piece.1.is_some()).map(|piece| &piece.0).collect();
    let mut first_mentions: Vec<&String> = Vec::new();
    for name in &names {
        if !first_mentions.contains(name) {
            first_mentions.push(name);
        }
    }
    assert_eq!(template.names(), first_mentions, "{text:?}");
    match template.fill(value) {
        Ok(filled) => assert_eq!(filled, safe),
        Err(_) => assert!(names.iter().any(|name| value(name).is_none()), "{text:?}"),
    }
    assert_eq!(template.fill(value).is_ok(), names.iter().all(|name| value(name).is_some()), "{text:?}");
}

fn made_parameters_are_read_back(pairs: &[(&str, &str)]) {
    match ScopeParams::new(pairs.iter().copied()) {
        Ok(params) => {
            assert_eq!(ScopeParams::from_json(params.as_json()), Ok(params.clone()));
            for (name, _) in pairs {
                let last = pairs.iter().rev().find(|(known, _)| known == name).map(|(_, value)| *value);
                assert_eq!(params.get(name), last);
            }
        }
        Err(error) => {
            let length: usize = pairs.iter().map(|(name, value)| name.len() + value.len() + 8).sum();
            let may_be_long = length * 6 > limits::SCOPE_PARAMS_BYTES_MAX;
            assert!(may_be_long || pairs.iter().any(|(_, value)| value.is_empty()), "{error}");
        }
    }
}

fn read_parameters_are_kept(json: &str) {
    let Ok(params) = ScopeParams::from_json(json) else {
        assert!(json.len() > limits::SCOPE_PARAMS_BYTES_MAX || json != "{}", "{json:?}");
        return;
    };
    assert_eq!(params.as_json(), json);
    let object: Value = serde_json::from_str(json).expect("it was read");
    for (name, value) in object.as_object().expect("it was taken for one") {
        let text = match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) if !number.is_f64() => Some(number.to_string()),
            _ => None,
        };
        assert_eq!(params.get(name), text.as_deref(), "{name:?}");
        let is_fit = text.is_some_and(|text| !text.is_empty() && !text.contains(separates));
        assert_eq!(params.value(name).is_ok(), is_fit, "{name:?}");
    }
}

/// Two parameters, a side that both share, and sides that only one has.
fn definitions() -> &'static [ScopeDefinition; 2] {
    static DEFINITIONS: OnceLock<[ScopeDefinition; 2]> = OnceLock::new();
    let source = ScopeDefinitionSource {
        profile: "school",
        id: "some",
        version: 1,
        primary: Some("a"),
        description: "${a} $b $$ $c",
        read: &["${a}:ro", "$a:$b"],
        write: &["${a}:wo$$:${b}x"],
        read_write: &["$a:rw:$b"],
    };
    let made = |source| ScopeDefinition::new(source).expect("a good definition");
    DEFINITIONS.get_or_init(|| [made(source), made(ScopeDefinitionSource { write: &[], read_write: &[], ..source })])
}

fn a_scope_reaches_what_its_templates_say(params: &ScopeParams) {
    let (a, b) = (params.get("a"), params.get("b"));
    let is_fit = |value: Option<&str>| value.is_some_and(|value| !value.is_empty() && !value.contains(separates));
    for definition in definitions() {
        let Ok(scope) = definition.scope(params) else {
            let far_too_long =
                [a, b].into_iter().flatten().map(str::len).sum::<usize>() + 8 > limits::PARTITION_BYTES_MAX;
            let holds_nul = [a, b].into_iter().flatten().any(|value| value.contains('\0'));
            assert!(!is_fit(a) || !is_fit(b) || far_too_long || holds_nul, "{params:?}");
            continue;
        };
        assert!(is_fit(a) && is_fit(b), "{params:?}");
        let (a, b) = (a.expect("it is fit"), b.expect("it is fit"));
        let (shared, read, write) =
            (format!("{a}:rw:{b}"), [format!("{a}:ro"), format!("{a}:{b}")], format!("{a}:wo$:{b}x"));
        let has_both_sides = !definition.write.is_empty();
        let expected_read = read.iter().chain(has_both_sides.then_some(&shared));
        assert_eq!(scope.read().filter(), Some(&Filter::new(expected_read).expect("they were good")));
        let expected_write = has_both_sides.then(|| Filter::new([&shared, &write]).expect("they were good"));
        assert_eq!(scope.write().filter(), expected_write.as_ref());
        assert!(scope.is_subset_of(&scope) && !scope.allows_read(&Filter::everything()));
        for reach in [scope.read(), scope.write()] {
            let prefixes = reach.filter().into_iter().flat_map(Filter::prefixes);
            prefixes.for_each(|prefix| assert!(prefix.starts_with(a) && is_good_prefix(prefix), "{prefix:?}"));
        }
        assert!(has_both_sides || *scope.write() == Reach::Nothing);
        assert_eq!(definition.describe(params), format!("{a} {b} $ $c"));
    }
}
