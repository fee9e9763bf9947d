//! Merge policies: how they are written on a struct and on a field, what is wrong with them, and what they become.
//!
//! A word alone stands behind the equals sign (`merge = ours`), what needs more stands in parentheses (`merge(newest = edited_at)`,
//! `merge(with = path)`), as with `source_id`.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::Path;
use syn::ext::IdentExt;

use super::model::{Field, Model};
use crate::diagnostics::Diagnostics;
use crate::item::{Item, Value, span_over};
use crate::symbol;

/// What becomes of two contents of one record.
pub(crate) enum RecordMerge {
    Ours,
    Theirs,
    Newest(Ident),
    Function(Path),
}

/// What becomes of two values of one field.
pub(crate) enum FieldMerge {
    Ours,
    Theirs,
    Max(Span),
    Min(Span),
    Union(Span),
    Function(Path),
}

const OURS: &str = "ours";
const THEIRS: &str = "theirs";
const NEWEST: &str = "newest";
const MAX: &str = "max";
const MIN: &str = "min";
const UNION: &str = "union";

const ON_STRUCT: &[&str] = &[OURS, THEIRS, NEWEST, symbol::WITH];
const ON_FIELD: &[&str] = &[OURS, THEIRS, MAX, MIN, UNION, symbol::WITH];

/// Reads the policy of a struct.
pub(crate) fn of_record(item: &Item, diagnostics: &mut Diagnostics) -> Option<RecordMerge> {
    let policy = Policy::read(item, ON_STRUCT, Some((ON_FIELD, "a field")), diagnostics)?;
    match (&*policy.name, policy.value.as_ref()) {
        (OURS, None) => return Some(RecordMerge::Ours),
        (THEIRS, None) => return Some(RecordMerge::Theirs),
        (NEWEST, Some(value)) => {
            if let Ok(field) = syn::parse2(value.clone()) {
                return Some(RecordMerge::Newest(field));
            }
        }
        (symbol::WITH, Some(value)) => {
            if let Some(path) = path(value) {
                return Some(RecordMerge::Function(path));
            }
        }
        _ => {}
    }
    policy.is_malformed(diagnostics);
    None
}

/// Reads the policy of a field.
pub(crate) fn of_field(item: &Item, diagnostics: &mut Diagnostics) -> Option<FieldMerge> {
    let policy = Policy::read(item, ON_FIELD, Some((ON_STRUCT, "the struct")), diagnostics)?;
    let place = policy.word.span();
    match (&*policy.name, policy.value.as_ref()) {
        (OURS, None) => return Some(FieldMerge::Ours),
        (THEIRS, None) => return Some(FieldMerge::Theirs),
        (MAX, None) => return Some(FieldMerge::Max(place)),
        (MIN, None) => return Some(FieldMerge::Min(place)),
        (UNION, None) => return Some(FieldMerge::Union(place)),
        (symbol::WITH, Some(value)) => {
            if let Some(path) = path(value) {
                return Some(FieldMerge::Function(path));
            }
        }
        _ => {}
    }
    policy.is_malformed(diagnostics);
    None
}

fn path(value: &TokenStream) -> Option<Path> {
    syn::parse::Parser::parse2(Path::parse_mod_style, value.clone()).ok()
}

/// The word of a policy and what stands behind it, whatever that is.
struct Policy {
    word: Ident,
    name: String,
    value: Option<TokenStream>,
}

impl Policy {
    /// Takes `merge = word` and `merge(word = value)` apart.
    fn read(
        item: &Item,
        here: &[&str],
        elsewhere: Option<(&[&str], &str)>,
        diagnostics: &mut Diagnostics,
    ) -> Option<Self> {
        let (tokens, place) = match &item.value {
            Value::Given(tokens) => (tokens.clone(), tokens.to_token_stream()),
            Value::Arguments(group) => (group.stream(), group.to_token_stream()),
            Value::Absent => (TokenStream::new(), item.word.to_token_stream()),
            Value::Unreadable => return None,
        };
        let mut tokens = tokens.into_iter();
        let Some(TokenTree::Ident(word)) = tokens.next() else {
            let forms = symbol::list(here.iter().copied().map(form));
            diagnostics.over(place, format_args!("`{}` takes a policy; write one of {forms}", symbol::MERGE));
            return None;
        };
        let name = word.unraw().to_string();
        if !here.contains(&name.as_str()) {
            let value = Value::Absent;
            Item { word, value }.is_unknown(here, elsewhere, diagnostics);
            return None;
        }
        let value = match (matches!(item.value, Value::Arguments(_)), tokens.next()) {
            (false, None) => None,
            (true, Some(TokenTree::Punct(sign))) if sign.as_char() == '=' => Some(tokens.collect()),
            // What no form has: the caller says which there is.
            (_, found) => Some(found.into_iter().chain(tokens).collect()),
        };
        Some(Self { word, name, value })
    }

    fn is_malformed(&self, diagnostics: &mut Diagnostics) {
        diagnostics.at(self.word.span(), format_args!("this policy is written `{}`", form(&self.name)));
    }
}

/// How a policy is written.
fn form(word: &str) -> &'static str {
    match word {
        OURS => "merge = ours",
        THEIRS => "merge = theirs",
        NEWEST => "merge(newest = edited_at)",
        MAX => "merge = max",
        MIN => "merge = min",
        UNION => "merge = union",
        symbol::WITH => "merge(with = path::to::function)",
        _ => unreachable!("every policy has a form"),
    }
}

/// What a policy asks of the field that it stands on.
pub(crate) fn check_field(model: &Model<'_>, field: &Field<'_>, diagnostics: &mut Diagnostics) {
    let Some(word) = field.attributes.merge.word() else { return };
    let name = field.name();
    if field.is_skipped() {
        diagnostics.at(
            word,
            "`merge` says what becomes of a field that travels, but `skip` keeps it at home; take one of them out",
        );
    }
    for (template, what) in model.templates() {
        if template.names.contains(&name) {
            diagnostics.at(
                word,
                format_args!(
                    "{what} is made of `{name}` and never changes, so there is nothing to merge; take `merge` out"
                ),
            );
            return;
        }
    }
    let is_key = field.attributes.foreign_key.word().is_some();
    match field.attributes.merge.get() {
        Some(FieldMerge::Max(place) | FieldMerge::Min(place)) if is_key => {
            diagnostics.at(*place, "the ids under a foreign key have no order; write `ours`, `theirs` or `with`");
        }
        Some(FieldMerge::Union(place)) if is_key => {
            diagnostics.at(*place, "a foreign key holds one id and no list; write `ours`, `theirs` or `with`");
        }
        _ => {}
    }
}

/// `newest` compares a field that travels, other than ids.
pub(crate) fn check_newest(model: &Model<'_>, diagnostics: &mut Diagnostics) {
    let Some(RecordMerge::Newest(ident)) = model.attributes.merge.get() else { return };
    let name = ident.unraw().to_string();
    let candidates: Vec<String> = model
        .own_fields()
        .filter(|field| !field.is_skipped() && field.attributes.foreign_key.word().is_none())
        .map(Field::name)
        .collect();
    if candidates.contains(&name) {
        return;
    }
    let problem = match model.fields.iter().find(|field| field.name() == name) {
        None => "is no field of the model",
        Some(field) if field.is_skipped() => "stays at home, so that the other side's is not known",
        Some(_) => "holds an id, which does not say what is newer",
    };
    let known = candidates.iter().map(String::as_str);
    let advice = match symbol::nearest(&name, known.clone()) {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None if candidates.is_empty() => "this model has no field that could".to_owned(),
        None => format!("it can be {}", symbol::list(known)),
    };
    diagnostics.at(ident.span(), format_args!("`{name}` {problem}; {advice}"));
}

/// The functions that compare the values of fields, where a policy asks for it: once for each field.
pub(crate) fn comparisons(model: &Model<'_>) -> TokenStream {
    let newest = match model.attributes.merge.get() {
        Some(RecordMerge::Newest(ident)) => Some(ident.unraw().to_string()),
        _ => None,
    };
    let is_compared = |field: &&Field<'_>| {
        matches!(field.attributes.merge.get(), Some(FieldMerge::Max(_) | FieldMerge::Min(_)))
            || newest.as_ref() == Some(&field.name())
    };
    let constants = model.own_fields().filter(is_compared).map(|field| {
        let (ty, constant) = (field.ty, comparison(&field.name()));
        let compare = match field.attributes.with.get() {
            None => quote_spanned!(span_over(ty) => __morango::morango::model::policy::compare::<#ty>),
            Some(with) => {
                quote_spanned!(span_over(ty) => |ours, theirs| __morango::morango::model::policy::compare_with::<#ty, _>(ours, theirs, #with::read))
            }
        };
        quote!(const #constant: __morango::morango::model::policy::CompareValues = #compare;)
    });
    quote!(#(#constants)*)
}

fn comparison(field: &str) -> Ident {
    format_ident!("__{}_ORDER", field.to_uppercase())
}

/// The policy of the model, for its definition.
pub(crate) fn record_policy(model: &Model<'_>) -> TokenStream {
    let policy = match model.attributes.merge.get() {
        None => return quote!(::core::option::Option::None),
        Some(RecordMerge::Ours) => quote!(Ours),
        Some(RecordMerge::Theirs) => quote!(Theirs),
        Some(RecordMerge::Newest(ident)) => {
            let name = ident.unraw().to_string();
            let field = model.own_fields().find(|field| field.name() == name).expect("the checks ask for the field");
            let (wire_name, compare) = (field.wire_name(), comparison(&name));
            quote!(Newest { wire_name: #wire_name, compare: #compare })
        }
        Some(RecordMerge::Function(path)) => {
            let ident = model.ident;
            quote_spanned! { span_over(path) =>
                Function(|id, ours, theirs| __morango::morango::model::policy::merge_rows::<#ident, _>(id, ours, theirs, #path))
            }
        }
    };
    quote!(::core::option::Option::Some(__morango::morango::model::policy::RecordPolicy::#policy))
}

/// The policy of a field, for its definition.
pub(crate) fn field_policy(field: &Field<'_>) -> TokenStream {
    let (ty, compare) = (field.ty, comparison(&field.name()));
    let policy = match field.attributes.merge.get() {
        None => return quote!(::core::option::Option::None),
        Some(FieldMerge::Ours) => quote!(__morango::morango::model::policy::FieldPolicy::Ours),
        Some(FieldMerge::Theirs) => quote!(__morango::morango::model::policy::FieldPolicy::Theirs),
        Some(FieldMerge::Max(_)) => quote!(__morango::morango::model::policy::FieldPolicy::Max(#compare)),
        Some(FieldMerge::Min(_)) => quote!(__morango::morango::model::policy::FieldPolicy::Min(#compare)),
        Some(FieldMerge::Union(_)) if field.attributes.with.get().is_some() => {
            quote!(__morango::morango::model::policy::FieldPolicy::Union)
        }
        Some(FieldMerge::Union(_)) => {
            quote_spanned!(span_over(ty) => __morango::morango::model::policy::union::<#ty>())
        }
        Some(FieldMerge::Function(path)) => {
            // Called within a closure, a function may also take a `&str` for a text, as that of `validate` may.
            let function = quote_spanned!(span_over(path) => |ours: &#ty, theirs: &#ty| #path(ours, theirs));
            let merge = match field.attributes.with.get() {
                None => quote_spanned! { span_over(path) =>
                    __morango::morango::model::policy::merge_values::<#ty, _>(ours, theirs, #function)
                },
                Some(with) => quote_spanned! { span_over(path) =>
                    __morango::morango::model::policy::merge_values_with::<#ty, _, _>(
                        ours, theirs, #with::read, |value: &#ty| #with::write(value), #function,
                    )
                },
            };
            quote!(__morango::morango::model::policy::FieldPolicy::Function(|ours, theirs| #merge))
        }
    };
    quote!(::core::option::Option::Some(#policy))
}
