//! What a struct without mistakes becomes: the model, its registration, and its rows in each database.
//!
//! What can be a function stands in `morango_diesel::__private::field`, so that little is generated. What asks
//! something of a field's type stands once and has the span of that type, where the compiler tells what is wrong with it.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::Path;
use syn::ext::IdentExt;

use super::attr::{Database, Source};
use super::merge;
use super::model::{Field, Model};
use crate::item::span_over;

/// The whole output.
pub(crate) fn model(model: &Model<'_>) -> TokenStream {
    let krate = krate(model);
    let ident = model.ident;
    let formats = formats(model);
    let checks = model.own_fields().filter_map(check_function);
    let comparisons = merge::comparisons(model);
    let definition = definition(model);
    let id_functions = id_functions();
    let field_text = field_text(model);
    let source_function = source_function(model);
    let write_fields = write_fields(model);
    let read_fields = read_fields(model);
    let validate = validate(model);
    let rows = rows(model, &krate);
    quote! {
        const _: () = {
            use #krate::__private as __morango;

            #formats
            #comparisons
            #(#checks)*

            #[automatically_derived]
            impl __morango::morango::model::Model for #ident {
                #definition
                #id_functions
                #field_text
                #source_function
                #write_fields
                #read_fields
                #validate
            }

            __morango::inventory::submit! {
                __morango::morango::model::ModelEntry {
                    definition: <#ident as __morango::morango::model::Model>::definition,
                }
            }

            #rows
        };
    }
}

fn krate(model: &Model<'_>) -> TokenStream {
    model.attributes.krate.get().map_or_else(|| quote!(::morango_diesel), |path| quote!(#path))
}

fn definition(model: &Model<'_>) -> TokenStream {
    let ident = model.ident;
    let name = ident.unraw().to_string();
    let attributes = &model.attributes;
    let table = attributes.table.required();
    let profile = &attributes.profile.required().value;
    let wire_name = &attributes.model.required().value;
    let partition = &attributes.partition.required().text.value;
    let id_rule =
        if attributes.record_id.get().is_some() { format_ident!("SourceId") } else { format_ident!("Calculated") };
    let source = match attributes.source_id.get() {
        None | Some(Source::Random) => quote!(Random),
        Some(Source::Function(_)) => quote!(Function),
        Some(Source::Template(template)) => {
            let text = &template.text.value;
            quote!(Template(#text))
        }
    };
    let id_column = column_name(model, model.id().expect("the checks ask for an id"));
    let fields = model.own_fields().map(|field| field_definition(model, field));
    let foreign_keys = model.own_fields().filter_map(|field| foreign_key(model, field));
    let depends_on = attributes.depends_on.get().into_iter().flatten().map(|path| dependency(model, path));
    let merge = merge::record_policy(model);
    quote! {
        fn definition() -> &'static __morango::morango::model::ModelDefinition {
            static DEFINITION: __morango::morango::model::ModelDefinition = __morango::morango::model::ModelDefinition {
                profile: #profile,
                name: #wire_name,
                rust_type: ::core::concat!(::core::module_path!(), "::", #name),
                type_id: ::core::any::TypeId::of::<#ident>,
                table: __morango::field::table_name::<#table::table>(),
                id_column: #id_column,
                partition: #partition,
                id_rule: __morango::morango::model::IdRule::#id_rule,
                source: __morango::morango::model::SourceRule::#source,
                fields: &[#(#fields),*],
                foreign_keys: &[#(#foreign_keys),*],
                depends_on: &[#(#depends_on),*],
                merge: #merge,
            };
            &DEFINITION
        }
    }
}

fn field_definition(model: &Model<'_>, field: &Field<'_>) -> TokenStream {
    let name = field.name();
    let wire_name = field.wire_name();
    let column = column_name(model, field);
    let is_skipped = field.is_skipped();
    let merge = merge::field_policy(field);
    quote! {
        __morango::morango::model::Field {
            name: #name,
            wire_name: #wire_name,
            column: #column,
            is_skipped: #is_skipped,
            merge: #merge,
        }
    }
}

fn foreign_key(model: &Model<'_>, field: &Field<'_>) -> Option<TokenStream> {
    let target = field.attributes.foreign_key.get()?;
    let name = field.name();
    let wire_name = field.wire_name();
    let column = column_name(model, field);
    let target = dependency(model, target);
    let may_be_missing = field.attributes.may_be_missing.get().is_some();
    let is_self = field.is_self_reference(model.ident);
    Some(quote! {
        __morango::morango::model::ForeignKey {
            field: #name,
            wire_name: #wire_name,
            column: #column,
            target: #target,
            may_be_missing: #may_be_missing,
            is_self: #is_self,
        }
    })
}

/// A static knows no `Self`, so the model's own name stands for it.
fn dependency(model: &Model<'_>, target: &Path) -> TokenStream {
    let ident = model.ident;
    let target = if target.is_ident("Self") { quote!(#ident) } else { quote!(#target) };
    quote_spanned! { span_over(&target) =>
        __morango::morango::model::Dependency { definition: <#target as __morango::morango::model::Model>::definition }
    }
}

/// The column's name in the database, which the table knows.
fn column_name(model: &Model<'_>, field: &Field<'_>) -> TokenStream {
    let column = column(model, field);
    quote!(<#column as __morango::diesel::query_source::Column>::NAME)
}

fn column(model: &Model<'_>, field: &Field<'_>) -> TokenStream {
    let table = model.attributes.table.required();
    let column = field.column();
    quote!(#table::#column)
}

/// A constant for each field, which alone asks something of the field's type.
fn formats(model: &Model<'_>) -> TokenStream {
    let id = model.id().expect("the checks ask for an id").ty;
    let id = quote_spanned!(span_over(id) => const __ID: __morango::field::Id<#id> = __morango::field::id::<#id>(););
    let formats = model.own_fields().filter(|field| has_format(field)).map(|field| {
        let (ty, constant) = (field.ty, format_constant(field));
        let kind = format_ident!("{}", if field.attributes.foreign_key.get().is_some() { "key" } else { "plain" });
        quote_spanned! { span_over(ty) =>
            const #constant: __morango::field::Format<#ty> = __morango::field::#kind::<#ty>();
        }
    });
    quote!(#id #(#formats)*)
}

/// Whether the field travels in a format of ours.
fn has_format(field: &Field<'_>) -> bool {
    !field.is_skipped() && field.attributes.with.get().is_none()
}

fn format_constant(field: &Field<'_>) -> Ident {
    format_ident!("__{}_FORMAT", field.name().to_uppercase())
}

fn id_functions() -> TokenStream {
    quote! {
        fn id(&self) -> __morango::morango::id::SyncId {
            (__ID.get)(&self.id)
        }

        fn set_id(&mut self, id: __morango::morango::id::SyncId) {
            self.id = (__ID.make)(id);
        }
    }
}

/// The fields that templates name, and the foreign keys.
fn field_text(model: &Model<'_>) -> TokenStream {
    let mut names: Vec<&String> = Vec::new();
    if let Some(partition) = model.attributes.partition.get() {
        names.extend(&partition.names);
    }
    if let Some(Source::Template(template)) = model.attributes.source_id.get() {
        names.extend(&template.names);
    }
    let arms = model.own_fields().filter_map(|field| {
        let (name, ident, ty) = (field.name(), field.ident, field.ty);
        let text = if field.attributes.foreign_key.get().is_some() {
            let constant = format_constant(field);
            quote!((#constant.key_text)(&self.#ident))
        } else if names.contains(&&name) {
            quote_spanned!(span_over(ty) => __morango::field::text::<#ty>(&self.#ident))
        } else {
            return None;
        };
        Some(quote!(#name => #text,))
    });
    quote! {
        fn field_text(&self, name: &str) -> ::core::option::Option<::std::string::String> {
            match name {
                #(#arms)*
                _ => ::core::option::Option::None,
            }
        }
    }
}

fn source_function(model: &Model<'_>) -> TokenStream {
    let value = match model.attributes.source_id.get() {
        Some(Source::Function(path)) => quote_spanned!(span_over(path) => ::core::option::Option::Some(#path(self))),
        None | Some(Source::Random | Source::Template(_)) => quote!(::core::option::Option::None),
    };
    quote! {
        fn source_id_by_function(&self) -> ::core::option::Option<::std::string::String> {
            #value
        }
    }
}

fn write_fields(model: &Model<'_>) -> TokenStream {
    let writes = model.own_fields().filter(|field| !field.is_skipped()).map(|field| {
        let (ident, name) = (field.ident, field.wire_name());
        if let Some(with) = field.attributes.with.get() {
            quote_spanned!(span_over(with) => __morango::field::write_with(object, #name, &#with::write(&self.#ident));)
        } else {
            let constant = format_constant(field);
            quote!((#constant.write)(object, #name, &self.#ident);)
        }
    });
    quote! {
        fn write_fields(&self, object: &mut __morango::morango::model::ObjectWriter) {
            #(#writes)*
        }
    }
}

fn read_fields(model: &Model<'_>) -> TokenStream {
    let sent: Vec<&Field<'_>> = model.own_fields().filter(|field| !field.is_skipped()).collect();
    let locals: Vec<Ident> = sent.iter().map(|field| format_ident!("__{}", field.name())).collect();
    let reads = sent.iter().zip(&locals).map(|(field, local)| read_field(field, local));
    let taken = if sent.is_empty() {
        TokenStream::new()
    } else {
        quote! {
            let (#(::core::option::Option::Some(#locals),)*) = (#(#locals,)*) else {
                return ::core::result::Result::Err(errors);
            };
        }
    };
    let idents = sent.iter().map(|field| field.ident);
    let homes = model.own_fields().filter(|field| field.is_skipped()).map(|field| {
        let (ident, ty) = (field.ident, field.ty);
        let default = quote_spanned!(span_over(ty) => <#ty as ::core::default::Default>::default());
        quote!(#ident: #default)
    });
    quote! {
        fn read_fields(
            id: __morango::morango::id::SyncId,
            fields: &__morango::morango::model::Fields<'_>,
        ) -> ::core::result::Result<Self, __morango::morango::model::FieldErrors> {
            let mut errors = __morango::morango::model::FieldErrors::new();
            #(#reads)*
            #taken
            errors.into_result()?;
            ::core::result::Result::Ok(Self { id: (__ID.make)(id), #(#idents: #locals,)* #(#homes,)* })
        }
    }
}

/// One field into a local that is `None` where it could not be read, and its checks.
fn read_field(field: &Field<'_>, local: &Ident) -> TokenStream {
    let (ty, name) = (field.ty, field.wire_name());
    let read = if let Some(with) = field.attributes.with.get() {
        quote_spanned! { span_over(with) =>
            __morango::field::read_with::<#ty, _>(fields, #name, &mut errors, #with::read)
        }
    } else {
        let constant = format_constant(field);
        quote!((#constant.read)(fields, #name, &mut errors))
    };
    let check = has_checks(field).then(|| {
        let check = check_name(field);
        quote! {
            if let ::core::option::Option::Some(value) = &#local {
                #check(value, &mut errors);
            }
        }
    });
    quote! {
        let #local = #read;
        #check
    }
}

fn validate(model: &Model<'_>) -> TokenStream {
    let checks: Vec<TokenStream> = model
        .own_fields()
        .filter(|field| has_checks(field))
        .map(|field| {
            let (ident, check) = (field.ident, check_name(field));
            quote!(#check(&self.#ident, &mut errors);)
        })
        .collect();
    let result = if checks.is_empty() {
        quote!(::core::result::Result::Ok(()))
    } else {
        quote! {
            let mut errors = __morango::morango::model::FieldErrors::new();
            #(#checks)*
            errors.into_result()
        }
    };
    quote! {
        fn validate(&self) -> ::core::result::Result<(), __morango::morango::model::FieldErrors> {
            #result
        }
    }
}

fn has_checks(field: &Field<'_>) -> bool {
    field.attributes.max_length.get().is_some() || field.attributes.validate.get().is_some()
}

fn check_name(field: &Field<'_>) -> Ident {
    format_ident!("__check_{}", field.name())
}

/// The length and the application's own check of a field's value.
fn check_function(field: &Field<'_>) -> Option<TokenStream> {
    let (ty, name, function) = (field.ty, field.wire_name(), check_name(field));
    let length =
        field.attributes.max_length.get().map(
            |max| quote_spanned!(span_over(ty) => __morango::field::check_length::<#ty>(#name, value, #max, errors);),
        );
    let own = field
        .attributes
        .validate
        .get()
        .map(|path| quote_spanned!(span_over(path) => __morango::field::check(#name, #path(value), errors);));
    has_checks(field).then(|| {
        quote! {
            fn #function(value: &#ty, errors: &mut __morango::morango::model::FieldErrors) {
                #length
                #own
            }
        }
    })
}

/// The rows in every database that `morango_diesel` is built for, or in the one that the model names: its macros know which.
fn rows(model: &Model<'_>, krate: &TokenStream) -> TokenStream {
    let ident = model.ident;
    let table = model.attributes.table.required();
    let id = column(model, model.id().expect("the checks ask for an id"));
    let columns = model.fields.iter().map(|field| {
        let ident = field.ident;
        let column = column(model, field);
        quote!(#column => #ident)
    });
    let rows = match model.attributes.database.get() {
        None => quote!(__rows),
        Some(Database::Sqlite) => quote!(__sqlite_rows),
        Some(Database::Postgres) => quote!(__postgres_rows),
    };
    quote! {
        #krate::#rows! {
            model = #ident,
            table = #table::table,
            id = #id,
            columns = [#(#columns),*],
        }
    }
}
