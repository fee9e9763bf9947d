//! Scope definitions: the named, versioned templates out of which the scopes of certificates are made.
//!
//! The macro `scope_definitions!` submits a [`ScopeDefinitionSource`] for each; the registry checks them once at start.
//! This file does not look anything up by itself.

use std::collections::BTreeSet;

use super::{Filter, Reach, Scope, ScopeError, ScopeParams, Template};
use crate::limits;

/// A scope definition as an application writes it down: plain constants, unchecked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScopeDefinitionSource {
    /// The profile of the application, for example `notebook`.
    pub profile: &'static str,
    /// The name by which certificates refer to the definition, for example `whole-notebook`.
    pub id: &'static str,
    /// Raised when the templates change.
    pub version: i64,
    /// The parameter that holds the root certificate's own id; without one the definition makes no root certificates.
    pub primary: Option<&'static str>,
    /// What the scope allows, for people; may name parameters.
    pub description: &'static str,
    /// Templates of the prefixes that may be read.
    pub read: &'static [&'static str],
    /// Templates of the prefixes that may be written.
    pub write: &'static [&'static str],
    /// Templates of the prefixes that may be read and written.
    pub read_write: &'static [&'static str],
}

inventory::collect!(ScopeDefinitionSource);

/// A checked scope definition. [`ScopeDefinition::new`] is the only road to one.
///
/// # Source
/// Protocol, chapter 2.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScopeDefinition {
    /// The name by which certificates refer to the definition.
    pub id: String,
    /// The profile of the application.
    pub profile: String,
    /// Raised when the templates change.
    pub version: i64,
    /// The parameter that holds the root certificate's own id.
    pub primary_scope_param_key: Option<String>,
    /// What the scope allows, for people.
    pub description: String,
    /// Templates of the prefixes that may be read.
    pub read: Vec<Template>,
    /// Templates of the prefixes that may be written.
    pub write: Vec<Template>,
    /// Templates of the prefixes that may be read and written.
    pub read_write: Vec<Template>,
}

impl ScopeDefinition {
    /// Checks a definition.
    ///
    /// # Errors
    /// [`ScopeError::Definition`] for a name that is empty or too long, a blank or malformed template, a primary parameter that
    /// no template uses, or a definition that reaches nothing.
    pub fn new(source: ScopeDefinitionSource) -> Result<Self, ScopeError> {
        let refuse = |problem: String| ScopeError::Definition { id: crate::id::excerpt(source.id), problem };
        for (what, name) in [("id", source.id), ("profile", source.profile)] {
            let length = name.chars().count();
            if length == 0 || length > limits::SCOPE_DEFINITION_ID_CHARS_MAX {
                let max = limits::SCOPE_DEFINITION_ID_CHARS_MAX;
                return Err(refuse(format!("its {what} {name:?} must have 1 to {max} characters")));
            }
        }
        let templates = |lines: &[&str]| -> Result<Vec<Template>, ScopeError> {
            lines.iter().map(|line| template(line).map_err(refuse)).collect()
        };
        let definition = Self {
            id: source.id.to_owned(),
            profile: source.profile.to_owned(),
            version: source.version,
            primary_scope_param_key: source.primary.map(str::to_owned),
            description: source.description.to_owned(),
            read: templates(source.read)?,
            write: templates(source.write)?,
            read_write: templates(source.read_write)?,
        };
        let names = definition.param_names();
        if definition.lines().next().is_none() {
            return Err(refuse("it has no template, so it reaches nothing".to_owned()));
        }
        if let Some(primary) = source.primary
            && !names.contains(&primary)
        {
            return Err(refuse(format!("no template uses its primary parameter {primary:?}")));
        }
        Ok(definition)
    }

    fn lines(&self) -> impl Iterator<Item = &Template> {
        self.read_write.iter().chain(&self.read).chain(&self.write)
    }

    /// The parameters that the templates name, sorted.
    pub fn param_names(&self) -> Vec<&str> {
        let names: BTreeSet<&str> = self.lines().flat_map(Template::names).collect();
        names.into_iter().collect()
    }

    /// What a certificate with these parameters may read and write.
    ///
    /// # Errors
    /// [`ScopeError::Parameter`] where a parameter is missing, empty or has white space in it.
    pub fn scope(&self, params: &ScopeParams) -> Result<Scope, ScopeError> {
        let read_write = reach(&self.read_write, params)?;
        let read = read_write.union(&reach(&self.read, params)?);
        let write = read_write.union(&reach(&self.write, params)?);
        Ok(Scope::new(read, write))
    }

    /// The description with the parameters put in; what has no value stays as written.
    pub fn describe(&self, params: &ScopeParams) -> String {
        Template::parse_loose(&self.description).fill_safe(&|name| params.get(name).map(str::to_owned))
    }
}

/// A template line, which must hold something that narrows.
fn template(line: &str) -> Result<Template, String> {
    if line.trim().is_empty() {
        return Err("a template is blank, and would reach everything".to_owned());
    }
    if line.chars().any(super::partition::is_separator) {
        return Err(format!("the template {line:?} has white space in it: write one prefix per template"));
    }
    Template::parse(line).map_err(|error| error.to_string())
}

/// The prefixes of these templates; without a template, nothing.
fn reach(templates: &[Template], params: &ScopeParams) -> Result<Reach, ScopeError> {
    if templates.is_empty() {
        return Ok(Reach::Nothing);
    }
    let mut prefixes = Vec::with_capacity(templates.len());
    for template in templates {
        for name in template.names() {
            params.value(name)?;
        }
        prefixes.push(template.fill(&|name| params.get(name).map(str::to_owned))?);
    }
    Ok(Reach::Within(Filter::new(prefixes)?))
}

/// Where certificates find the definition that they name.
pub trait ScopeDefinitions {
    /// The definition with this id in this profile.
    fn definition(&self, profile: &str, id: &str) -> Option<&ScopeDefinition>;
}

impl ScopeDefinitions for ScopeDefinition {
    fn definition(&self, profile: &str, id: &str) -> Option<&ScopeDefinition> {
        (self.profile == profile && self.id == id).then_some(self)
    }
}

impl ScopeDefinitions for [ScopeDefinition] {
    fn definition(&self, profile: &str, id: &str) -> Option<&ScopeDefinition> {
        self.iter().find_map(|definition| definition.definition(profile, id))
    }
}

impl ScopeDefinitions for Vec<ScopeDefinition> {
    fn definition(&self, profile: &str, id: &str) -> Option<&ScopeDefinition> {
        self.as_slice().definition(profile, id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: ScopeDefinitionSource = ScopeDefinitionSource {
        profile: "notebook",
        id: "whole-notebook",
        version: 1,
        primary: Some("owner_id"),
        description: "Everything of ${owner_id}, costs $5 or ${unknown}",
        read: &[],
        write: &["${owner_id}:inbox"],
        read_write: &["${owner_id}:notes:$part"],
    };

    fn params() -> ScopeParams {
        ScopeParams::new([("owner_id", "me"), ("part", "7")]).expect("values")
    }

    #[test]
    fn a_definition_with_its_parameters_is_a_scope() {
        let definition = ScopeDefinition::new(WHOLE).expect("a good definition");
        assert_eq!(definition.param_names(), ["owner_id", "part"]);
        let scope = definition.scope(&params()).expect("all parameters are there");
        assert_eq!(scope.read().filter().expect("reads").prefixes(), ["me:notes:7"]);
        assert_eq!(scope.write().filter().expect("writes").prefixes(), ["me:inbox", "me:notes:7"]);
        assert_eq!(definition.describe(&params()), "Everything of me, costs $5 or ${unknown}");
    }

    #[test]
    fn a_missing_parameter_is_an_error_and_no_text() {
        let definition = ScopeDefinition::new(WHOLE).expect("a good definition");
        for text in [r#"{"owner_id": "me"}"#, r#"{"owner_id": "me", "part": ""}"#, r#"{"owner_id": "a b", "part": 7}"#]
        {
            let params = ScopeParams::from_json(text).expect("an object");
            assert!(matches!(definition.scope(&params), Err(ScopeError::Parameter { .. })), "{text}");
        }
    }

    #[test]
    fn a_side_without_templates_reaches_nothing() {
        let source = ScopeDefinitionSource { primary: None, read: &["$a"], write: &[], read_write: &[], ..WHOLE };
        let definition = ScopeDefinition::new(source).expect("a good definition");
        let scope = definition.scope(&ScopeParams::new([("a", "x")]).expect("a value")).expect("a scope");
        assert_eq!(scope.write(), &Reach::Nothing);
    }

    #[test]
    fn a_definition_is_found_by_its_profile_and_id_together() {
        let other = ScopeDefinitionSource { id: "other", ..WHOLE };
        let all = [other, WHOLE].map(|source| ScopeDefinition::new(source).expect("a good definition")).to_vec();
        let places: [&dyn ScopeDefinitions; 2] = [&all[1], &all];
        for definitions in places {
            let found = |profile, id| definitions.definition(profile, id).map(|found| found.id.as_str());
            assert_eq!(found("notebook", "whole-notebook"), Some("whole-notebook"));
            assert_eq!((found("notebook", "another"), found("other", "whole-notebook")), (None, None));
        }
    }

    #[test]
    fn what_would_fall_open_or_contradicts_itself_is_no_definition() {
        let longest = ScopeDefinitionSource { id: "it-has-20-characters", profile: "it-has-20-characters", ..WHOLE };
        assert!(ScopeDefinition::new(longest).is_ok());
        for (source, word) in [
            (ScopeDefinitionSource { read: &[""], ..WHOLE }, "blank"),
            (ScopeDefinitionSource { read: &["a\nb"], ..WHOLE }, "white space"),
            (ScopeDefinitionSource { read: &["$"], ..WHOLE }, "`$`"),
            (ScopeDefinitionSource { id: "", ..WHOLE }, "id"),
            (ScopeDefinitionSource { profile: "a-profile-of-21-chars", ..WHOLE }, "profile"),
            (ScopeDefinitionSource { primary: Some("other"), ..WHOLE }, "primary"),
            (ScopeDefinitionSource { primary: None, write: &[], read_write: &[], ..WHOLE }, "nothing"),
        ] {
            let error = ScopeDefinition::new(source).expect_err("no definition");
            assert!(error.to_string().contains(word), "{error}");
        }
    }
}
