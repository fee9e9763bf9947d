//! The tables in `docs` that say what shows what they say cannot rot: what they name is there.
//!
//! Method: every row of every such table is read; each test in its last cell must be a function that is a test, or be told in a list of
//! stories; each file in its other cells must exist, and where a table says where things are each row must name one. A row
//! without a test must say why.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests lie in the workspace").to_owned()
}

/// The names of all tests in the workspace, and of the stories in its lists of them.
fn names_of_tests(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("its entries too").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            names_of_tests(&path, names);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = fs::read_to_string(&path).expect("a source file is text");
            names.extend(text.split("#[test]").skip(1).filter_map(name_after_mark));
            if path.components().any(|part| part.as_os_str() == "tests") {
                names.extend(text.lines().filter_map(name_in_list));
            }
        }
    }
}

/// The name of the function that follows the mark of a test: nothing but other attributes stands between the two.
fn name_after_mark(text: &str) -> Option<String> {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with("#["))?;
    let name = line.strip_prefix("fn ")?.split('(').next()?;
    is_name(name).then(|| name.to_owned())
}

/// The name of a story in a line of a list, for example `waiting::what_waits_is_listed,`.
fn name_in_list(line: &str) -> Option<String> {
    let (path, name) = line.trim().trim_end_matches(',').rsplit_once("::")?;
    (path.split("::").all(is_name) && is_name(name)).then(|| name.to_owned())
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

/// The cells of a row of a table; none for other lines, heads and rules.
fn cells(line: &str) -> Option<Vec<&str>> {
    let inner = line.strip_prefix('|')?.trim_end().strip_suffix('|')?;
    let cells: Vec<&str> = inner.split('|').map(str::trim).collect();
    let is_head =
        cells.last() == Some(&"Shown by") || cells.iter().all(|cell| cell.chars().all(|letter| letter == '-'));
    (!is_head).then_some(cells)
}

/// What stands between backticks.
fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// Whether a cell says that something is still to be done.
fn is_put_off(cell: &str) -> bool {
    cell.starts_with("not yet") || cell.starts_with("not here yet") || cell.contains("it is not here yet")
}

/// The documents whose tables name tests, with the fewest rows that they have.
const DOCUMENTS: [(&str, usize); 3] =
    [("docs/parity.md", 100), ("docs/hostile-peers.md", 40), ("docs/guarantees.md", 15)];

fn document(name: &str) -> String {
    fs::read_to_string(workspace().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The rows of the tables of a document that name tests, each with the number of its line and the place of the cell that says where.
fn rows(text: &str) -> Vec<(usize, Vec<&str>, Option<usize>)> {
    let mut rows = Vec::new();
    let mut table = None;
    for (number, line) in text.lines().enumerate().map(|(index, line)| (index + 1, line)) {
        if line.ends_with("| Shown by |") {
            // Before the first bar of a line there is nothing.
            table = Some(line.split('|').position(|cell| cell.trim() == "Where").map(|place| place - 1));
        } else if !line.starts_with('|') {
            table = None;
        }
        // What stands alone in its row is the heading of those below.
        let is_heading = |cells: &Vec<&str>| cells.iter().skip(1).all(|cell| cell.is_empty());
        if let (Some(cells), Some(place)) = (cells(line).filter(|cells| !is_heading(cells)), table) {
            rows.push((number, cells, place));
        }
    }
    rows
}

#[test]
fn every_row_names_a_test_that_exists_or_says_why_there_is_none() {
    let mut names = BTreeSet::new();
    names_of_tests(&workspace(), &mut names);
    let mut mistakes = Vec::new();
    for (name, rows_min) in DOCUMENTS {
        let text = document(name);
        let rows = rows(&text);
        assert!(rows.len() >= rows_min, "{name}: only {} rows were found", rows.len());
        for (number, cells, _) in rows {
            mistakes
                .extend(mistakes_of(&cells, &names).into_iter().map(|mistake| format!("{name}:{number}: {mistake}")));
        }
    }
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
}

/// What is wrong with a row.
fn mistakes_of(cells: &[&str], names: &BTreeSet<String>) -> Vec<String> {
    let mut mistakes = Vec::new();
    if cells.iter().any(|cell| is_put_off(cell)) {
        mistakes.push("it puts something off: build it, or say why it is not wanted".to_owned());
    }
    let shown = cells.last().copied().unwrap_or_default();
    if let Some(reason) = shown.strip_prefix("no test: ") {
        if reason.split(' ').count() < 4 {
            mistakes.push(format!("{reason:?} is no reason"));
        }
        return mistakes;
    }
    let tests: Vec<&str> = quoted(shown).collect();
    if tests.is_empty() {
        mistakes.push(format!("it names no test, and does not say why: {shown:?}"));
    }
    let missing = tests.into_iter().filter(|test| !names.contains(*test));
    mistakes.extend(missing.map(|test| format!("there is no test {test}")));
    mistakes
}

#[test]
fn every_row_says_where() {
    let mut mistakes = Vec::new();
    for (name, _) in DOCUMENTS {
        for (number, cells, place) in rows(&document(name)) {
            let is_named = |place: usize| cells.get(place).is_some_and(|cell| quoted(cell).any(is_file));
            if !place.is_none_or(is_named) {
                mistakes.push(format!("{name}:{number}"));
            }
        }
    }
    assert!(mistakes.is_empty(), "it does not say where: {mistakes:?}");
}

fn is_file(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|ending| ending == "rs")
}

#[test]
fn every_file_that_is_named_exists() {
    let root = workspace();
    let mut missing = Vec::new();
    for (name, _) in DOCUMENTS {
        for (number, cells, _) in rows(&document(name)) {
            let named = cells.into_iter().flat_map(quoted).filter(|name| is_file(name));
            missing
                .extend(named.filter(|file| !root.join(file).is_file()).map(|file| format!("{name}:{number}: {file}")));
        }
    }
    assert!(missing.is_empty(), "named, and not there: {missing:?}");
}

#[test]
fn rows_names_and_reasons_are_told_apart() {
    assert_eq!(cells("| a `b` | | `c` |"), Some(vec!["a `b`", "", "`c`"]));
    assert_eq!(cells("| Python | Shown by |"), None);
    assert_eq!(cells("| --- | --- |"), None);
    assert_eq!(cells("a line | with a bar"), None);
    assert!(is_put_off("not yet") && is_put_off("no test: it is not here yet") && !is_put_off("done, not yet, failed"));
    let table = "| What | Shown by |\n| --- | --- |\n| **Of this kind** | |\n| one | `it` |\n\n| two | `it` |";
    assert_eq!(rows(table), [(4, vec!["one", "`it`"], None)]);
    assert_eq!(quoted("`one`, and `two`").collect::<Vec<_>>(), ["one", "two"]);
    let so = Some("it_is_so".to_owned());
    assert_eq!(name_after_mark("\n    #[expect(lint)]\n    fn it_is_so() {\n    }"), so);
    assert_eq!(name_after_mark("` in a text\n fn it_is_so() {"), None);
    assert_eq!(name_in_list("        waiting::it_is_so,"), so);
    assert_eq!(name_in_list("    waiting::it_is_so(&devices);"), None);
}
