//! The text of `scope_definitions!` as a tree.
//!
//! What stands in parentheses and braces is read item by item and never stops the reading. Outside of them a mistake
//! leaves no sure place to go on from, so there the reading ends with it.

use proc_macro2::{Ident, Span, TokenStream};
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, Expr, Lit, LitStr, Meta, Token, braced, parenthesized};

use crate::diagnostics::Diagnostics;
use crate::item::{self, Item, Slot};
use crate::spanned::Spanned;
use crate::symbol;
use crate::template::Template;

/// All that one call writes down.
#[derive(Default)]
pub(crate) struct Definitions {
    pub(crate) profile: Slot<Spanned<String>>,
    pub(crate) definitions: Vec<Definition>,
}

/// One scope definition.
pub(crate) struct Definition {
    pub(crate) id: Spanned<String>,
    pub(crate) description: String,
    pub(crate) version: Slot<i64>,
    pub(crate) primary: Slot<Ident>,
    pub(crate) read: Slot<Vec<Template>>,
    pub(crate) write: Slot<Vec<Template>>,
    pub(crate) read_write: Slot<Vec<Template>>,
    /// Where the braces stand.
    pub(crate) reach: Span,
    /// Whether a word in the braces is unknown, so that it is not certain what the scope reaches.
    pub(crate) has_unknown_reach: bool,
}

impl Definition {
    /// Every template.
    pub(crate) fn templates(&self) -> impl Iterator<Item = &Template> {
        [&self.read, &self.write, &self.read_write].into_iter().filter_map(Slot::get).flatten()
    }

    /// Whether one of the lists stands here, be it a good one or not.
    pub(crate) fn names_a_reach(&self) -> bool {
        [&self.read, &self.write, &self.read_write].into_iter().any(|slot| slot.word().is_some())
    }
}

/// Reads the whole call.
pub(crate) fn definitions(input: TokenStream, diagnostics: &mut Diagnostics) -> Definitions {
    let mut found = Definitions::default();
    let parser = |input: ParseStream<'_>| -> syn::Result<()> {
        let head = read_until_semicolon(input)?;
        for item in item::split(head, '=', diagnostics) {
            if item.name() == symbol::PROFILE {
                found.profile.fill(&item, diagnostics, Item::text);
            } else {
                item.is_unknown(&[symbol::PROFILE], None, diagnostics);
            }
        }
        while !input.is_empty() {
            found.definitions.push(definition(input, diagnostics)?);
        }
        Ok(())
    };
    if let Err(error) = parser.parse2(input) {
        diagnostics.at(error.span(), error);
    }
    found
}

/// The tokens before the first semicolon.
fn read_until_semicolon(input: ParseStream<'_>) -> syn::Result<TokenStream> {
    let advice = "begin with the profile and a semicolon: `profile = \"notebook\";`";
    if !input.peek(syn::Ident) {
        return Err(input.error(advice));
    }
    let mut tokens = TokenStream::new();
    while !input.peek(Token![;]) {
        if input.is_empty() || input.peek(LitStr) && input.peek2(syn::token::Paren) {
            return Err(input.error(advice));
        }
        tokens.extend([input.parse::<proc_macro2::TokenTree>()?]);
    }
    input.parse::<Token![;]>()?;
    Ok(tokens)
}

fn definition(input: ParseStream<'_>, diagnostics: &mut Diagnostics) -> syn::Result<Definition> {
    let attributes = input.call(Attribute::parse_outer)?;
    let description = description(&attributes, diagnostics);
    let id: LitStr = input.parse().map_err(|error| {
        syn::Error::new(error.span(), "expected the id of a scope definition in quotes, as in `\"whole-notebook\"`")
    })?;
    if !input.peek(syn::token::Paren) {
        return Err(input.error("expected `(version = 1)` or `(version = 1, primary = parameter)`"));
    }
    let words;
    parenthesized!(words in input);
    let words: TokenStream = words.parse()?;
    if !input.peek(syn::token::Brace) {
        return Err(input.error("expected what the scope reaches: `{ read_write: [\"${owner_id}\"] }`"));
    }
    let reach;
    let braces = braced!(reach in input);
    let reach: TokenStream = reach.parse()?;

    let mut definition = Definition {
        id: Spanned::new(id.value(), id.span()),
        description,
        version: Slot::default(),
        primary: Slot::default(),
        read: Slot::default(),
        write: Slot::default(),
        read_write: Slot::default(),
        reach: braces.span.join(),
        has_unknown_reach: false,
    };
    for item in item::split(words, '=', diagnostics) {
        match item.name().as_str() {
            symbol::VERSION => {
                definition.version.fill(&item, diagnostics, |item, diagnostics| item.number(&0, diagnostics));
            }
            symbol::PRIMARY => definition
                .primary
                .fill(&item, diagnostics, |item, diagnostics| item.ident("the name of a parameter", diagnostics)),
            _ => item.is_unknown(symbol::SCOPE_WORDS, None, diagnostics),
        }
    }
    for item in item::split(reach, ':', diagnostics) {
        match item.name().as_str() {
            symbol::READ => definition.read.fill(&item, diagnostics, templates),
            symbol::WRITE => definition.write.fill(&item, diagnostics, templates),
            symbol::READ_WRITE => definition.read_write.fill(&item, diagnostics, templates),
            _ => {
                definition.has_unknown_reach = true;
                item.is_unknown(symbol::REACH_WORDS, None, diagnostics);
            }
        }
    }
    Ok(definition)
}

/// The lines of the doc comment.
fn description(attributes: &[Attribute], diagnostics: &mut Diagnostics) -> String {
    let mut lines: Vec<String> = Vec::new();
    for attribute in attributes {
        match &attribute.meta {
            Meta::NameValue(meta) if meta.path.is_ident("doc") => {
                if let Expr::Lit(syn::ExprLit { lit: Lit::Str(line), .. }) = &meta.value {
                    lines.push(line.value().trim().to_owned());
                }
            }
            meta => diagnostics.over(meta, "a scope definition takes no attributes, only a doc comment; take it out"),
        }
    }
    lines.join("\n").trim().to_owned()
}

/// A list of templates in brackets. A bad one is noted and left out.
fn templates(item: &Item, diagnostics: &mut Diagnostics) -> Option<Vec<Template>> {
    let Some(list) = item.parsed::<syn::ExprArray>() else {
        item.is_malformed("a list of templates in brackets", diagnostics);
        return None;
    };
    let mut templates = Vec::new();
    for element in &list.elems {
        if let Expr::Lit(syn::ExprLit { lit: Lit::Str(text), .. }) = element {
            let text = Spanned::new(text.value(), text.span());
            templates.extend(Template::read(text, "a scope's template", diagnostics));
        } else {
            diagnostics.over(element, "expected a template in quotes, as in `\"${owner_id}:notes\"`");
        }
    }
    (templates.len() == list.elems.len()).then_some(templates)
}
