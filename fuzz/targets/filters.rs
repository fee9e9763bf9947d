//! Filters: what they contain is what starts with one of their prefixes, whichever way they were made, written or joined.

#![no_main]

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use morango::limits;
use morango::scope::{Filter, Partition, Reach, prefix_upper_bound};
use morango_fuzz::{Path, is_good_prefix, separates};

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    one: Vec<Path>,
    other: Vec<Path>,
    partitions: Vec<Path>,
    wire: &'a str,
    prefixes: Vec<&'a str>,
}

fuzz_target!(|input: Input<'_>| {
    let wild: Vec<&str> = input.prefixes.clone();
    assert_eq!(Filter::new(wild.iter().copied()).is_ok(), are_good(&wild), "{wild:?}");
    assert_eq!(Partition::new(input.wire).is_ok(), is_good_prefix(input.wire), "{:?}", input.wire);
    a_filter_of_the_wire_is_its_words(input.wire);
    let (one, other) = (made(&input.one), made(&input.other));
    for text in input.partitions.iter().chain(&input.one).chain(&input.other).map(|path| path.0.as_str()) {
        a_filter_contains_what_starts_with_a_prefix(&one, text);
        ranges_are_prefixes(text, &input.one);
        assert_eq!(one.union(&other).contains(text), one.contains(text) || other.contains(text), "{one:?} {other:?}");
        assert!(!Reach::Nothing.contains(text));
    }
    filters_are_held_against_each_other(&one, &other);
});

fn are_good(prefixes: &[&str]) -> bool {
    !prefixes.is_empty()
        && prefixes.len() <= limits::FILTER_PREFIXES_MAX
        && prefixes.iter().all(|prefix| is_good_prefix(prefix))
}

/// The filter of these prefixes, or the one of everything.
fn made(paths: &[Path]) -> Filter {
    let prefixes = paths.iter().map(|path| path.0.as_str()).filter(|prefix| is_good_prefix(prefix));
    Filter::new(prefixes).unwrap_or_else(|_| Filter::everything())
}

fn plainly_contains(filter: &Filter, text: &str) -> bool {
    filter.prefixes().iter().any(|prefix| text.starts_with(prefix.as_str()))
}

fn a_filter_of_the_wire_is_its_words(text: &str) {
    let words: Vec<&str> = text.split(separates).filter(|word| !word.is_empty()).collect();
    match Filter::from_wire(text) {
        Ok(filter) if words.is_empty() => assert!(filter.is_everything() && filter.prefixes() == [""]),
        Ok(filter) => {
            assert_eq!(filter.prefixes(), words);
            assert!(!filter.is_everything());
            let again = Filter::from_wire(&filter.to_wire()).expect("what we wrote");
            assert_eq!(again.prefixes(), filter.prefixes());
        }
        Err(_) => assert!(!words.is_empty() && !are_good(&words), "{text:?}"),
    }
}

fn a_filter_contains_what_starts_with_a_prefix(filter: &Filter, text: &str) {
    assert_eq!(filter.contains(text), plainly_contains(filter, text), "{filter:?} {text:?}");
    let minimized = filter.minimized();
    assert_eq!((minimized.contains(text), &minimized), (filter.contains(text), filter), "{filter:?} {text:?}");
    // Whatever lies below what is contained is contained as well.
    assert!(!filter.contains(text) || filter.contains(&format!("{text}:below")), "{filter:?} {text:?}");
}

fn ranges_are_prefixes(prefix: &str, texts: &[Path]) {
    let bound = prefix_upper_bound(prefix);
    for Path(text) in texts {
        let is_within = text.as_str() >= prefix && bound.as_ref().is_none_or(|bound| text < bound);
        assert_eq!(is_within, text.starts_with(prefix), "prefix {prefix:?}, text {text:?}");
    }
}

fn filters_are_held_against_each_other(one: &Filter, other: &Filter) {
    let is_subset = one.prefixes().iter().all(|prefix| plainly_contains(other, prefix));
    assert_eq!(one.is_subset_of(other), is_subset, "{one:?} {other:?}");
    let (here, there) = (Reach::Within(one.clone()), Reach::Within(other.clone()));
    assert_eq!((there.allows(one), here.is_subset_of(&there)), (is_subset, is_subset), "{one:?} {other:?}");
    assert_eq!(one == other, is_subset && other.is_subset_of(one), "{one:?} {other:?}");
    let both = one.union(other);
    assert!(one.is_subset_of(&both) && other.is_subset_of(&both) && both == other.union(one), "{one:?} {other:?}");
    let least = one.minimized();
    let is_covered =
        |prefix: &String| least.prefixes().iter().any(|other| other != prefix && prefix.starts_with(other.as_str()));
    assert!(least.prefixes().is_sorted() && !least.prefixes().iter().any(is_covered), "{least:?}");
}
