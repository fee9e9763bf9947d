//! Every word that our attributes know, how each is written, and the nearest one to a word that none of them is.

pub(crate) const PROFILE: &str = "profile";
pub(crate) const MODEL: &str = "model";
pub(crate) const PARTITION: &str = "partition";
pub(crate) const SOURCE_ID: &str = "source_id";
pub(crate) const RECORD_ID: &str = "record_id";
pub(crate) const DEPENDS_ON: &str = "depends_on";
pub(crate) const MERGE: &str = "merge";
pub(crate) const DATABASE: &str = "database";
pub(crate) const CRATE: &str = "crate";
pub(crate) const TABLE_NAME: &str = "table_name";

pub(crate) const FOREIGN_KEY: &str = "foreign_key";
pub(crate) const MAY_BE_MISSING: &str = "may_be_missing";
pub(crate) const SKIP: &str = "skip";
pub(crate) const RENAME: &str = "rename";
pub(crate) const WITH: &str = "with";
pub(crate) const MAX_LENGTH: &str = "max_length";
pub(crate) const VALIDATE: &str = "validate";
pub(crate) const COLUMN_NAME: &str = "column_name";

pub(crate) const VERSION: &str = "version";
pub(crate) const PRIMARY: &str = "primary";
pub(crate) const READ: &str = "read";
pub(crate) const WRITE: &str = "write";
pub(crate) const READ_WRITE: &str = "read_write";

/// The words of `#[morango(…)]` on a struct.
pub(crate) const STRUCT_WORDS: &[&str] =
    &[PROFILE, MODEL, PARTITION, SOURCE_ID, RECORD_ID, DEPENDS_ON, MERGE, DATABASE, CRATE];
/// The words of `#[morango(…)]` on a field.
pub(crate) const FIELD_WORDS: &[&str] = &[FOREIGN_KEY, MAY_BE_MISSING, SKIP, RENAME, WITH, MAX_LENGTH, VALIDATE, MERGE];
/// The words in the parentheses of a scope definition.
pub(crate) const SCOPE_WORDS: &[&str] = &[VERSION, PRIMARY];
/// The words in the braces of a scope definition.
pub(crate) const REACH_WORDS: &[&str] = &[READ, WRITE, READ_WRITE];

/// How a word is written, for example `profile = "notebook"`.
pub(crate) fn form(word: &str) -> &'static str {
    match word {
        PROFILE => "profile = \"notebook\"",
        MODEL => "model = \"note\"",
        PARTITION => "partition = \"${owner_id}:notes\"",
        SOURCE_ID => "source_id = random`, `source_id = \"${field}\"` or `source_id(with = path::to::function)",
        RECORD_ID => "record_id = source_id",
        DEPENDS_ON => "depends_on(Model, OtherModel)",
        DATABASE => "database = sqlite` or `database = postgres",
        CRATE => "crate = path::to::morango_diesel",
        TABLE_NAME => "table_name = notes",
        FOREIGN_KEY => "foreign_key = Model",
        MAY_BE_MISSING => "may_be_missing",
        SKIP => "skip",
        RENAME => "rename = \"name_on_the_wire\"",
        WITH => "with = path::to::module",
        MAX_LENGTH => "max_length = 40",
        VALIDATE => "validate = path::to::function",
        COLUMN_NAME => "column_name = title",
        VERSION => "version = 1",
        PRIMARY => "primary = owner_id",
        READ => "read: [\"${owner_id}:notes\"]",
        WRITE => "write: [\"${owner_id}:notes\"]",
        READ_WRITE => "read_write: [\"${owner_id}\"]",
        _ => unreachable!("every word has a form"),
    }
}

/// The word that was probably meant: one that differs by two letters at most, or by a third of them.
pub(crate) fn nearest<'w>(word: &str, known: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    known
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.len() / 3).max(2) && *distance < candidate.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `a`, `b` and `c`, each between back quotes.
pub(crate) fn list<'w>(words: impl IntoIterator<Item = &'w str>) -> String {
    let quoted: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, before)) => format!("{} and {last}", before.join(", ")),
        None => String::new(),
    }
}

/// The number of letters to insert, remove or replace (Levenshtein).
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (line, letter) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, other) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_word_finds_the_one_that_was_meant() {
        assert_eq!(nearest("partion", STRUCT_WORDS.iter().copied()), Some(PARTITION));
        assert_eq!(nearest("foreignkey", FIELD_WORDS.iter().copied()), Some(FOREIGN_KEY));
        assert_eq!(nearest("colour", FIELD_WORDS.iter().copied()), None);
    }

    #[test]
    fn words_are_listed_as_in_a_sentence() {
        assert_eq!(list([]), "");
        assert_eq!(list(["a"]), "`a`");
        assert_eq!(list(["a", "b", "c"]), "`a`, `b` and `c`");
    }
}
