//! The struct as a tree of ours, which keeps the places where things stood.

use proc_macro2::{Ident, Span};
use syn::ext::IdentExt;
use syn::{Data, DeriveInput, Fields, Generics, Type};

use super::attr::{FieldAttributes, Source, StructAttributes};
use crate::diagnostics::Diagnostics;
use crate::template::Template;

/// A struct that is to be a model.
pub(crate) struct Model<'a> {
    pub(crate) ident: &'a Ident,
    pub(crate) generics: &'a Generics,
    pub(crate) attributes: StructAttributes,
    /// Every field in its order, the id among them.
    pub(crate) fields: Vec<Field<'a>>,
    /// Whether it is a struct with named fields; nothing else is looked into.
    pub(crate) has_named_fields: bool,
}

/// A field of the struct.
pub(crate) struct Field<'a> {
    pub(crate) ident: &'a Ident,
    pub(crate) ty: &'a Type,
    pub(crate) attributes: FieldAttributes,
}

impl<'a> Model<'a> {
    pub(crate) fn parse(input: &'a DeriveInput, diagnostics: &mut Diagnostics) -> Self {
        let attributes = StructAttributes::parse(&input.attrs, diagnostics);
        let fields = named_fields(input, diagnostics);
        Self {
            ident: &input.ident,
            generics: &input.generics,
            attributes,
            has_named_fields: fields.is_some(),
            fields: fields
                .into_iter()
                .flatten()
                .map(|(ident, field)| Field {
                    ident,
                    ty: &field.ty,
                    attributes: FieldAttributes::parse(&field.attrs, diagnostics),
                })
                .collect(),
        }
    }

    /// The field of the record's id.
    pub(crate) fn id(&self) -> Option<&Field<'a>> {
        self.fields.iter().find(|field| field.is_id())
    }

    /// Every field but the id.
    pub(crate) fn own_fields(&self) -> impl Iterator<Item = &Field<'a>> {
        self.fields.iter().filter(|field| !field.is_id())
    }

    /// The templates over the fields, and what each is for.
    pub(crate) fn templates(&self) -> impl Iterator<Item = (&Template, &'static str)> {
        let source_id = match self.attributes.source_id.get() {
            Some(Source::Template(template)) => Some((template, "the source id")),
            None | Some(Source::Random | Source::Function(_)) => None,
        };
        self.attributes.partition.get().map(|template| (template, "the partition")).into_iter().chain(source_id)
    }
}

impl Field<'_> {
    /// The field's name, as templates call it.
    pub(crate) fn name(&self) -> String {
        self.ident.unraw().to_string()
    }

    /// Whether this is the record's id.
    pub(crate) fn is_id(&self) -> bool {
        self.ident == "id"
    }

    /// Whether the field stays at home.
    pub(crate) fn is_skipped(&self) -> bool {
        self.attributes.skip.word().is_some()
    }

    /// The column in the table's module.
    pub(crate) fn column(&self) -> &Ident {
        self.attributes.column.get().unwrap_or(self.ident)
    }

    /// The name in the stored JSON.
    pub(crate) fn wire_name(&self) -> String {
        if let Some(name) = self.attributes.rename.get() {
            return name.value.clone();
        }
        let name = self.name();
        if self.attributes.foreign_key.word().is_some() && !name.ends_with("_id") { format!("{name}_id") } else { name }
    }

    /// Where the wire name comes from.
    pub(crate) fn wire_name_span(&self) -> Span {
        self.attributes.rename.get().map_or_else(|| self.ident.span(), |name| name.span)
    }

    /// Whether the foreign key points at the model's own kind.
    pub(crate) fn is_self_reference(&self, model: &Ident) -> bool {
        self.attributes.foreign_key.get().is_some_and(|target| target.is_ident("Self") || target.is_ident(model))
    }
}

/// The named fields of a struct; `None` with a mistake noted for anything else.
fn named_fields<'a>(input: &'a DeriveInput, diagnostics: &mut Diagnostics) -> Option<Vec<(&'a Ident, &'a syn::Field)>> {
    let (place, found) = match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => {
                return Some(
                    fields.named.iter().filter_map(|field| field.ident.as_ref().map(|ident| (ident, field))).collect(),
                );
            }
            Fields::Unnamed(_) | Fields::Unit => (data.struct_token.span, "a struct without named fields"),
        },
        Data::Enum(data) => (data.enum_token.span, "an enum"),
        Data::Union(data) => (data.union_token.span, "a union"),
    };
    diagnostics.at(
        place,
        format_args!("a row cannot be {found}; derive `Syncable` on a struct with named fields, one for each column"),
    );
    None
}
