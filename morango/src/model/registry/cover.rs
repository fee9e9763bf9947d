//! Whether a prefix template of a scope can match a partition template of a model, for some values or for none.
//!
//! Both are texts with unknowns in them. The unknowns of the *prefix* are scope parameters: any text that is not empty. Those
//! of the *partition* are fields of a record. A foreign key and the record's own id are ids, of which it is certain that they
//! are 32 hexadecimal digits; of any other field nothing is certain, not even that it has no `:` in it.
//!
//! The search goes through both texts character by character and tries every length for a parameter. Wherever it would
//! have to guess (a hexadecimal digit in the prefix against an id, anything against another field), it says that it cannot tell.

use std::collections::BTreeMap;

use crate::scope::{Piece, Template};

/// A piece of a partition, seen without values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    /// A character that is there whatever the values.
    Char(char),
    /// An id, which one is unknown: 32 hexadecimal digits.
    Id,
    /// The first digits of an id. It is found in values of parameters only.
    StartOfId,
    /// A text of which nothing is known.
    Anything,
}

/// A piece of a prefix: a character or a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part<'a> {
    Char(char),
    Param(&'a str),
}

/// The parameters' values, as far as a match says what they must be.
pub(super) type Binding<'a> = BTreeMap<&'a str, Vec<Token>>;

/// The result of a search.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Cover<'a> {
    /// All ways there are in which the prefix matches; none where it cannot. Each can be had with some values.
    Ways(Vec<Binding<'a>>),
    /// It may match, and with what values is not known.
    CannotTell,
}

/// Steps after which a search gives up: templates of ordinary length take some hundreds.
const STEPS_MAX: usize = 20_000;

/// The tokens of a partition template. `is_id` says of a field whether it holds a record's id.
pub(super) fn tokens(partition: &Template, is_id: impl Fn(&str) -> bool) -> Vec<Token> {
    let mut tokens = Vec::new();
    for piece in partition.pieces() {
        match piece {
            Piece::Literal(literal) => tokens.extend(literal.chars().map(Token::Char)),
            Piece::Name { name, .. } => tokens.push(if is_id(name) { Token::Id } else { Token::Anything }),
        }
    }
    tokens
}

/// The ways in which a prefix matches a partition, given the values that its parameters are known to have.
///
/// Where a known value holds an id it may be any id, so that more ways are found than there are, and never fewer.
pub(super) fn cover<'a>(prefix: &'a Template, partition: &[Token], known: &Binding<'a>) -> Cover<'a> {
    let mut parts = Vec::new();
    for piece in prefix.pieces() {
        match piece {
            Piece::Literal(literal) => parts.extend(literal.chars().map(Part::Char)),
            Piece::Name { name, .. } => parts.push(Part::Param(name)),
        }
    }
    let mut search = Search { ways: Vec::new(), binding: known.clone(), steps: 0 };
    match search.go(&parts, partition) {
        Ok(()) => Cover::Ways(search.ways),
        Err(CannotTell) => Cover::CannotTell,
    }
}

/// The search came to a point at which it would have to guess.
struct CannotTell;

struct Search<'a> {
    ways: Vec<Binding<'a>>,
    binding: Binding<'a>,
    steps: usize,
}

impl<'a> Search<'a> {
    /// Matches the rest of the prefix with the rest of the partition, and keeps every way that leads to the prefix's end.
    fn go(&mut self, prefix: &[Part<'a>], partition: &[Token]) -> Result<(), CannotTell> {
        self.steps += 1;
        if self.steps > STEPS_MAX {
            return Err(CannotTell);
        }
        match prefix {
            [] => {
                self.ways.push(self.binding.clone());
                Ok(())
            }
            [Part::Char(character), rest @ ..] => match partition {
                [token, left @ ..] if could_be(*token, *character)? => self.go(rest, left),
                _ => Ok(()),
            },
            [Part::Param(name), rest @ ..] => match self.binding.get(name).cloned() {
                Some(value) => self.put(&value, rest, partition),
                None => self.try_each_value(name, rest, partition),
            },
        }
    }

    /// Goes on behind a parameter whose value is known.
    fn put(&mut self, value: &[Token], rest: &[Part<'a>], partition: &[Token]) -> Result<(), CannotTell> {
        for (position, token) in value.iter().enumerate() {
            let Some(there) = partition.get(position) else {
                return Ok(());
            };
            let fits = match (token, there) {
                (_, Token::Anything) | (Token::Anything, _) => return Err(CannotTell),
                (Token::Char(character), there) => could_be(*there, *character)?,
                (Token::Id, Token::Id) => true,
                (Token::StartOfId, Token::Id | Token::StartOfId) | (Token::Id, Token::StartOfId) => {
                    return self.go_within_id(rest);
                }
                (Token::Id | Token::StartOfId, Token::Char(character)) => could_be(Token::Id, *character)?,
            };
            if !fits {
                return Ok(());
            }
        }
        self.go(rest, &partition[value.len()..])
    }

    /// Goes on behind a parameter whose value could be anything that is there.
    fn try_each_value(&mut self, name: &'a str, rest: &[Part<'a>], partition: &[Token]) -> Result<(), CannotTell> {
        for (length, token) in (1..).zip(partition) {
            if *token == Token::Anything {
                return Err(CannotTell);
            }
            if *token == Token::Id {
                let mut value = partition[..length].to_vec();
                value[length - 1] = Token::StartOfId;
                self.binding.insert(name, value);
                self.go_within_id(rest)?;
            }
            self.binding.insert(name, partition[..length].to_vec());
            self.go(rest, &partition[length..])?;
        }
        self.binding.remove(name);
        Ok(())
    }

    /// Goes on behind a parameter that ended within an id: the next digits of it are unknown.
    fn go_within_id(&mut self, rest: &[Part<'a>]) -> Result<(), CannotTell> {
        match rest {
            [] => self.go(&[], &[]),
            [Part::Char(character), ..] => could_be(Token::Id, *character).map(|_| ()),
            [Part::Param(_), ..] => Err(CannotTell),
        }
    }
}

/// Whether a piece of a partition can be, or begin with, this character.
fn could_be(token: Token, character: char) -> Result<bool, CannotTell> {
    match token {
        Token::Char(there) => Ok(there == character),
        Token::Id | Token::StartOfId => match character {
            '0'..='9' | 'a'..='f' => Err(CannotTell),
            _ => Ok(false),
        },
        Token::Anything => Err(CannotTell),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::SyncId;
    use crate::scope::testing::Dice;

    fn template(text: &str) -> Template {
        Template::parse(text).expect("a template")
    }

    /// The partition's tokens, where names that end in `id` are ids.
    fn partition(text: &str) -> Vec<Token> {
        tokens(&template(text), |name| name.ends_with("id"))
    }

    fn ways(prefix: &Template, tokens: &[Token]) -> Option<usize> {
        match cover(prefix, tokens, &Binding::new()) {
            Cover::Ways(ways) => Some(ways.len()),
            Cover::CannotTell => None,
        }
    }

    #[test]
    fn a_prefix_matches_where_literals_agree_and_ids_fill_parameters() {
        let tokens = partition("${owner_id}:notes");
        for (prefix, expected) in [
            ("${x}:notes", Some(1)),
            ("${x}:not", Some(1)),
            ("${x}:", Some(1)),
            ("${x}:notes:more", Some(0)),
            ("${x}:profile", Some(0)),
            ("x${x}", Some(0)),
            (":notes", Some(0)),
            // An id, the start of one, or both and some of what follows: `:`, `:n` … `:notes`.
            ("${x}", Some(8)),
            // What begins with a hexadecimal digit may be the beginning of an id.
            ("abc", None),
            ("${x}e", None),
            ("${x}${y}", None),
        ] {
            assert_eq!(ways(&template(prefix), &tokens), expected, "{prefix}");
        }
    }

    #[test]
    fn of_a_field_that_is_no_id_nothing_is_certain() {
        let tokens = partition("${path}:notes");
        assert_eq!(ways(&template("${x}:profile"), &tokens), None);
        assert_eq!(ways(&template("a"), &tokens), None);
        assert_eq!(ways(&template("all:${x}"), &partition("all:${path}")), None);
        assert_eq!(ways(&template("all:"), &partition("all:${path}")), Some(1));
        assert_eq!(ways(&template("some"), &partition("all:${path}")), Some(0));
    }

    #[test]
    fn a_parameter_means_the_same_wherever_it_stands() {
        let prefix = template("${x}:${y}:${x}");
        assert_eq!(ways(&prefix, &partition("a:b:a")), Some(1));
        assert_eq!(ways(&prefix, &partition("a:b:c")), Some(0));
        let known = Binding::from([("y", vec![Token::Char('q')])]);
        assert_eq!(cover(&prefix, &partition("a:b:a"), &known), Cover::Ways(Vec::new()));
    }

    #[test]
    fn a_search_without_end_is_given_up() {
        let prefix = template(&"${a}${b}${c}${d}${e}${f}${g}${h}${i}${j}.".replace("}$", "}x$"));
        assert_eq!(ways(&prefix, &partition(&"x".repeat(300))), None);
    }

    /// With random templates and random values: whatever matches as text, the search does not call impossible.
    #[test]
    fn what_matches_as_text_is_never_called_impossible() {
        const PREFIXES: [&str; 8] = ["$x", "$x:$y", "$x:a", "${x}a", "$x:$x", "a:$x", "$y:a:$x", "$x:$y:b"];
        const PARTITIONS: [&str; 7] = ["$id", "$id:a", "$id:$b_id", "a:$id", "$id:a:$b_id", "$text:a", "$id:a:$text"];
        let mut dice = Dice::seeded(0xc0fe);
        let mut matched = 0;
        for _ in 0..40_000 {
            let (prefix, whole) = (template(PREFIXES[dice.below(8)]), template(PARTITIONS[dice.below(7)]));
            let ids = [0, 1].map(|_| SyncId::hash_of(&dice.below(2).to_string()).to_string());
            let words = ["a".to_owned(), "b:a".to_owned(), ids[0].clone(), ids[1].clone(), ids[0][..5].to_owned()];
            let [x, y, text] = [0, 1, 2].map(|_| &words[dice.below(words.len())]);
            let fill = |name: &str| {
                Some(match name {
                    "id" => ids[0].clone(),
                    "b_id" => ids[1].clone(),
                    "text" => text.clone(),
                    "x" => x.clone(),
                    _ => y.clone(),
                })
            };
            let (filled, of) = (prefix.fill(&fill).expect("filled"), whole.fill(&fill).expect("filled"));
            if of.starts_with(&filled) {
                matched += 1;
                let tokens = tokens(&whole, |name| name.ends_with("id"));
                assert_ne!(ways(&prefix, &tokens), Some(0), "{filled} begins {of}");
            }
        }
        assert!(matched > 1_000, "{matched}");
    }
}
