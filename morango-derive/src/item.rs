//! The items of an attribute: words with what stands behind them, and how each kind of value is read.
//!
//! The tokens are split at commas before anything in them is understood, so that a mistake in one item leaves the others
//! whole. An item whose value is wrong gives `None` after its mistake was noted.

use std::iter::Peekable;

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;

use crate::diagnostics::Diagnostics;
use crate::spanned::Spanned;
use crate::symbol;

/// A word and what stands behind it: `skip`, `profile = "notebook"`, `depends_on(Owner)`, `read: ["…"]`.
pub(crate) struct Item {
    /// The word.
    pub(crate) word: Ident,
    /// What stands behind it.
    pub(crate) value: Value,
}

/// What stands behind a word.
pub(crate) enum Value {
    /// Nothing.
    Absent,
    /// A value behind the separator.
    Given(TokenStream),
    /// Something in parentheses.
    Arguments(Group),
    /// Something that was noted as a mistake already.
    Unreadable,
}

/// Splits tokens into items. `separator` stands between a word and its value: `=` or `:`.
pub(crate) fn split(tokens: TokenStream, separator: char, diagnostics: &mut Diagnostics) -> Vec<Item> {
    let mut items = Vec::new();
    for tokens in split_at_commas(tokens) {
        let mut tokens = tokens.into_iter().peekable();
        while let Some(first) = tokens.next() {
            let TokenTree::Ident(word) = first else {
                diagnostics.at(first.span(), format_args!("expected a word here, found `{first}`"));
                break;
            };
            let value = read_value(&word, &mut tokens, separator, diagnostics);
            if let (Some(rest), false) = (tokens.peek(), matches!(value, Value::Unreadable)) {
                diagnostics.at(rest.span(), format_args!("expected a comma before `{rest}`"));
            }
            items.push(Item { word, value });
        }
    }
    items
}

fn split_at_commas(tokens: TokenStream) -> Vec<Vec<TokenTree>> {
    let mut parts = vec![Vec::new()];
    for token in tokens {
        match token {
            TokenTree::Punct(comma) if comma.as_char() == ',' => parts.push(Vec::new()),
            token => parts.last_mut().expect("there is always a part").push(token),
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

/// What stands behind a word, up to where the next item could begin. After a mistake nothing is left of the tokens.
fn read_value(
    word: &Ident,
    tokens: &mut Peekable<impl Iterator<Item = TokenTree>>,
    separator: char,
    diagnostics: &mut Diagnostics,
) -> Value {
    let sign = match tokens.next() {
        None => return Value::Absent,
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis => return Value::Arguments(group),
        Some(TokenTree::Punct(sign)) if sign.as_char() == separator => sign,
        Some(other) => {
            diagnostics.at(other.span(), format_args!("expected `{separator}` or a comma behind `{word}`"));
            tokens.by_ref().for_each(drop);
            return Value::Unreadable;
        }
    };
    let Some(first) = tokens.next() else {
        diagnostics.at(sign.span(), format_args!("expected a value behind `{word} {separator}`"));
        return Value::Unreadable;
    };
    let mut value = TokenStream::from(first.clone());
    if !matches!(first, TokenTree::Literal(_) | TokenTree::Group(_)) {
        value.extend(tokens.by_ref());
    }
    Value::Given(value)
}

impl Item {
    /// The word, also where it is a keyword of Rust.
    pub(crate) fn name(&self) -> String {
        self.word.unraw().to_string()
    }

    /// Notes that no word like this one is known here.
    ///
    /// `elsewhere` are words that are known in another place, which is named.
    pub(crate) fn is_unknown(&self, here: &[&str], elsewhere: Option<(&[&str], &str)>, diagnostics: &mut Diagnostics) {
        let name = self.name();
        let advice = match (elsewhere, symbol::nearest(&name, here.iter().copied())) {
            (Some((words, place)), _) if words.contains(&name.as_str()) => format!("it belongs on {place}"),
            (_, Some(nearest)) => format!("did you mean `{nearest}`?"),
            (_, None) => format!("here can stand {}", symbol::list(here.iter().copied())),
        };
        let verdict = if advice.starts_with("it belongs") { "is not expected here" } else { "is unknown" };
        diagnostics.at(self.word.span(), format_args!("`{name}` {verdict}; {advice}"));
    }

    /// Notes that the value is of the wrong kind. `takes` completes "`word` takes …".
    pub(crate) fn is_malformed(&self, takes: &str, diagnostics: &mut Diagnostics) {
        let name = self.name();
        let message = format!("`{name}` takes {takes}; write `{}`", symbol::form(&name));
        match &self.value {
            Value::Absent => diagnostics.at(self.word.span(), message),
            Value::Given(tokens) => diagnostics.over(tokens, message),
            Value::Arguments(group) => diagnostics.over(group, message),
            Value::Unreadable => {}
        }
    }

    /// Nothing behind the word.
    pub(crate) fn alone(&self, diagnostics: &mut Diagnostics) -> Option<()> {
        if matches!(self.value, Value::Absent) {
            return Some(());
        }
        self.is_malformed("no value", diagnostics);
        None
    }

    /// A text in quotes.
    pub(crate) fn text(&self, diagnostics: &mut Diagnostics) -> Option<Spanned<String>> {
        let text: Option<syn::LitStr> = self.parsed();
        if text.is_none() {
            self.is_malformed("a text in quotes", diagnostics);
        }
        text.map(|text| Spanned::new(text.value(), text.span()))
    }

    /// A whole number of at least `least`.
    pub(crate) fn number<N>(&self, least: &N, diagnostics: &mut Diagnostics) -> Option<N>
    where
        N: std::str::FromStr<Err: std::fmt::Display> + PartialOrd + std::fmt::Display,
    {
        let number = self.parsed::<syn::LitInt>().and_then(|number| number.base10_parse::<N>().ok());
        let number = number.filter(|number| number >= least);
        if number.is_none() {
            self.is_malformed(&format!("a whole number of at least {least}"), diagnostics);
        }
        number
    }

    /// A path without quotes. `what` names what it leads to.
    pub(crate) fn path(&self, what: &str, diagnostics: &mut Diagnostics) -> Option<syn::Path> {
        let path = match &self.value {
            Value::Given(tokens) => syn::parse::Parser::parse2(syn::Path::parse_mod_style, tokens.clone()).ok(),
            Value::Absent | Value::Arguments(_) | Value::Unreadable => None,
        };
        if path.is_none() {
            self.is_malformed(&format!("{what}, without quotes"), diagnostics);
        }
        path
    }

    /// A single name without quotes. `what` says of what.
    pub(crate) fn ident(&self, what: &str, diagnostics: &mut Diagnostics) -> Option<Ident> {
        let ident: Option<Ident> = self.parsed();
        if ident.is_none() {
            self.is_malformed(&format!("{what}, without quotes"), diagnostics);
        }
        ident
    }

    /// The value, where it parses.
    pub(crate) fn parsed<T: syn::parse::Parse>(&self) -> Option<T> {
        match &self.value {
            Value::Given(tokens) => syn::parse2(tokens.clone()).ok(),
            Value::Absent | Value::Arguments(_) | Value::Unreadable => None,
        }
    }
}

/// A place for the value of one word, which may stand once.
pub(crate) struct Slot<T> {
    word: Option<Span>,
    value: Option<T>,
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self { word: None, value: None }
    }
}

impl<T> Slot<T> {
    /// Reads the value of an item into this place, unless the word stood before.
    pub(crate) fn fill(
        &mut self,
        item: &Item,
        diagnostics: &mut Diagnostics,
        read: impl FnOnce(&Item, &mut Diagnostics) -> Option<T>,
    ) {
        if self.word.is_some() {
            let name = item.name();
            diagnostics.at(item.word.span(), format_args!("`{name}` stands here a second time; keep one of them"));
            return;
        }
        self.word = Some(item.word.span());
        self.value = read(item, diagnostics);
    }

    /// Where the word stands, also where its value is wrong.
    pub(crate) fn word(&self) -> Option<Span> {
        self.word
    }

    /// The value, where there is a good one.
    pub(crate) fn get(&self) -> Option<&T> {
        self.value.as_ref()
    }

    /// The value of a word that the checks require.
    pub(crate) fn required(&self) -> &T {
        self.value.as_ref().expect("the checks refuse an input without it")
    }
}

/// The paths in parentheses, at least one. `takes` completes "`word` takes …".
pub(crate) fn paths(item: &Item, takes: &str, diagnostics: &mut Diagnostics) -> Option<Vec<syn::Path>> {
    let Value::Arguments(group) = &item.value else {
        item.is_malformed(takes, diagnostics);
        return None;
    };
    let parts = split_at_commas(group.stream());
    let paths: Vec<Option<syn::Path>> = parts
        .into_iter()
        .map(|part| {
            let tokens: TokenStream = part.into_iter().collect();
            let path = syn::parse::Parser::parse2(syn::Path::parse_mod_style, tokens.clone()).ok();
            if path.is_none() {
                diagnostics.over(&tokens, format_args!("expected the name of a model, found `{tokens}`"));
            }
            path
        })
        .collect();
    if paths.is_empty() {
        diagnostics.over(quote!(#group), format_args!("`{}` names nothing; take it out, or name a model", item.name()));
        return None;
    }
    paths.into_iter().collect()
}

/// The span over all of these tokens, or of the first where the compiler cannot join them: where they stand. Names that are
/// generated there are those of the derive's output all the same, also where the model was handed to a macro of the application.
pub(crate) fn span_over(tokens: impl ToTokens) -> Span {
    let mut spans = tokens.into_token_stream().into_iter().map(|token| token.span());
    let first = spans.next().unwrap_or_else(Span::call_site);
    spans.last().and_then(|last| first.join(last)).unwrap_or(first).resolved_at(Span::call_site())
}
