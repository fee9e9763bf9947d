//! What can be wrong with the models and scope definitions of a program: one variant for each mistake, with what to do about it.

use std::fmt::{self, Write as _};

use crate::model::definition::ModelDefinition;
use crate::scope::ScopeError;
use crate::{Error, ErrorKind};

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RegistryProblem {
    /// Two models of one profile have the same name on the wire.
    ModelTwice { models: [Named; 2] },
    /// Two models keep their rows in one table.
    TableTwice { table: &'static str, models: [Named; 2] },
    /// A name or profile is empty or too long.
    NameLength { model: Named, what: &'static str, text: &'static str, max: usize },
    /// A template cannot be used at all.
    Template { model: Named, what: &'static str, template: &'static str, reason: String },
    /// A template uses what is no field.
    TemplateField { model: Named, what: &'static str, template: &'static str, field: String },
    /// More than one foreign key points at the model's own kind.
    SelfReferences { model: Named, fields: Vec<&'static str> },
    /// A foreign key or dependency leads to a model that is not registered.
    TargetMissing { model: Named, link: Link, target: Named },
    /// A foreign key or dependency leads into another profile.
    TargetElsewhere { model: Named, link: Link, target: Named },
    /// Each of these models needs the next one to be there first, and the last one the first.
    Cycle { steps: Vec<(Named, Link)> },
    /// A scope definition contradicts itself.
    Scope { profile: String, error: ScopeError },
    /// Two scope definitions have one id.
    ScopeTwice { id: String, profiles: [String; 2] },
    /// A scope lets a record out without what its foreign key points at.
    Torn {
        scope: String,
        side: Side,
        prefix: String,
        model: Named,
        field: &'static str,
        target: Named,
        partition: &'static str,
    },
}

/// A model as messages name it: `notebook/note (notebook::models::Note)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named(String);

impl From<&ModelDefinition> for Named {
    fn from(model: &ModelDefinition) -> Self {
        Self(model.describe())
    }
}

/// What leads from one model to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    /// The foreign key in this field.
    ForeignKey(&'static str),
    /// The attribute `depends_on`.
    DependsOn,
}

/// What a scope's holder does with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// The holder pulls it.
    Read,
    /// The holder pushes it.
    Write,
}

impl RegistryProblem {
    /// What to do about it.
    fn hint(&self) -> &'static str {
        match self {
            Self::ModelTwice { .. } => "give one of them another name; is a crate linked in two versions?",
            Self::TableTwice { .. } => "one row is one record: keep one of the two models",
            Self::NameLength { .. } => "choose a short name: it travels with every record",
            Self::Template { .. } => "write `${field}` for a field's value and `$$` for a dollar sign",
            Self::TemplateField { what: SOURCE_ID, .. } => {
                "use the names of the struct's fields; the id follows from the source id"
            }
            Self::TemplateField { .. } => "use the names of the struct's fields, or `${id}`",
            Self::SelfReferences { .. } => {
                "the protocol carries one such key for each record: make the others plain fields"
            }
            Self::TargetMissing { .. } => "derive `Syncable` for it, and see that its crate is linked into the program",
            Self::TargetElsewhere { .. } => "models of different profiles never meet in one sync: move one of them",
            Self::Cycle { .. } => {
                "no order puts each row after those it points at: make one of these keys a plain field"
            }
            Self::Scope { .. } => "correct it in `scope_definitions!`",
            Self::ScopeTwice { .. } => "certificates name a definition by its id alone: give one of them another id",
            Self::Torn { side: Side::Read, .. } => {
                "let that partition be read too, or mark the key `may_be_missing` if the row can stand without it"
            }
            Self::Torn { side: Side::Write, .. } => {
                "let that partition be read or written too, or mark the key `may_be_missing` if the row can stand without it"
            }
        }
    }
}

/// What a template is for.
pub(super) const PARTITION: &str = "partition";
/// What a template is for.
pub(super) const SOURCE_ID: &str = "source id";

impl fmt::Display for RegistryProblem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ModelTwice { models: [one, two] } => write!(formatter, "two models have one name: {one} and {two}"),
            Self::TableTwice { table, models: [one, two] } => {
                write!(formatter, "two models have the one table `{table}`: {one} and {two}")
            }
            Self::NameLength { model, what, text, max } => {
                write!(formatter, "the {what} {text:?} of {model} must have 1 to {max} characters")
            }
            Self::Template { model, what, template, reason } => {
                write!(formatter, "the {what} template {template:?} of {model} cannot be used: {reason}")
            }
            Self::TemplateField { model, what, template, field } => {
                write!(formatter, "the {what} template {template:?} of {model} uses `{field}`, which it cannot")
            }
            Self::SelfReferences { model, fields } => {
                write!(
                    formatter,
                    "{model} points at its own kind through more than one field: `{}`",
                    fields.join("`, `")
                )
            }
            Self::TargetMissing { model, link, target } => {
                write!(formatter, "{model} leads through {link} to {target}, which is not registered")
            }
            Self::TargetElsewhere { model, link, target } => {
                write!(formatter, "{model} leads through {link} to {target}, which is of another profile")
            }
            Self::Cycle { steps } => {
                formatter.write_str("these models need each other to be there first: ")?;
                for (model, link) in steps {
                    write!(formatter, "{model} leads through {link} to ")?;
                }
                steps.first().map_or(Ok(()), |(model, _)| write!(formatter, "{model}"))
            }
            Self::Scope { profile, error } => write!(formatter, "in the profile {profile:?}, {error}"),
            Self::ScopeTwice { id, profiles: [one, two] } => {
                write!(formatter, "two scope definitions have the one id {id:?}, in the profiles {one:?} and {two:?}")
            }
            Self::Torn { scope, side, prefix, model, field, target, partition } => write!(
                formatter,
                "the scope {scope:?} lets {model} be {side} through {prefix:?}, but never what its foreign key `{field}` \
                 points at: {target} in {partition:?}"
            ),
        }
    }
}

impl fmt::Display for Named {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Display for Link {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ForeignKey(field) => write!(formatter, "its foreign key `{field}`"),
            Self::DependsOn => formatter.write_str("`depends_on`"),
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Read => "read",
            Self::Write => "written",
        })
    }
}

/// All problems as the one error of the crate. Several of them stand one below the other, since a programmer reads them.
pub(super) fn into_error(problems: &[RegistryProblem]) -> Error {
    let mut message = "build the registry of models and scope definitions: ".to_owned();
    if let [only] = problems {
        message.push_str(&only.to_string());
        return Error::new(ErrorKind::Configuration, message).with_hint(only.hint());
    }
    write!(message, "{} things are wrong", problems.len()).expect("a String takes every text");
    for problem in problems {
        write!(message, "\n  - {problem} ({})", problem.hint()).expect("a String takes every text");
    }
    Error::new(ErrorKind::Configuration, message)
}
