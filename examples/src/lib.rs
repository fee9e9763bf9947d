//! What the example programs share: the school that they sync.
#![expect(missing_docs, reason = "the columns in `table!` are the fields of the models, which are documented")]

pub mod school;
