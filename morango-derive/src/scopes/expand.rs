//! What definitions without mistakes become: constants that the registry finds.

use proc_macro2::TokenStream;
use quote::quote;

use super::parse::{Definition, Definitions};
use crate::item::Slot;
use crate::template::Template;

/// The whole output.
pub(crate) fn definitions(definitions: &Definitions) -> TokenStream {
    let profile = &definitions.profile.required().value;
    definitions.definitions.iter().map(|found| definition(profile, found)).collect()
}

fn definition(profile: &str, definition: &Definition) -> TokenStream {
    let id = &definition.id.value;
    let version = definition.version.required();
    let description = &definition.description;
    let primary = definition.primary.get().map(ToString::to_string);
    let primary = primary
        .map_or_else(|| quote!(::core::option::Option::None), |name| quote!(::core::option::Option::Some(#name)));
    let [read, write, read_write] = [&definition.read, &definition.write, &definition.read_write].map(texts);
    quote! {
        ::morango::__private::inventory::submit! {
            ::morango::scope::ScopeDefinitionSource {
                profile: #profile,
                id: #id,
                version: #version,
                primary: #primary,
                description: #description,
                read: #read,
                write: #write,
                read_write: #read_write,
            }
        }
    }
}

fn texts(templates: &Slot<Vec<Template>>) -> TokenStream {
    let texts = templates.get().into_iter().flatten().map(|template| &template.text.value);
    quote!(&[#(#texts),*])
}
