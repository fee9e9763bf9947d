//! The table in `docs/parity.md` cannot rot: what it names is there.
//!
//! Method: every row of every table is read; each test in its last cell must be a function that is a test, or be told in a list of
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

fn table() -> String {
    fs::read_to_string(workspace().join("docs/parity.md")).expect("the table of parity")
}

#[test]
fn every_row_of_parity_names_a_test_that_exists_or_says_why_there_is_none() {
    let mut names = BTreeSet::new();
    names_of_tests(&workspace(), &mut names);
    let mut mistakes = Vec::new();
    let mut rows = 0;
    for (number, line) in table().lines().enumerate().map(|(index, line)| (index + 1, line)) {
        let Some(cells) = cells(line) else { continue };
        rows += 1;
        if cells.iter().any(|cell| is_put_off(cell)) {
            mistakes.push(format!("line {number} puts something off: build it, or say why it is not wanted"));
        }
        let shown = cells.last().copied().unwrap_or_default();
        if let Some(reason) = shown.strip_prefix("no test: ") {
            if reason.split(' ').count() < 4 {
                mistakes.push(format!("line {number}: {reason:?} is no reason"));
            }
            continue;
        }
        let tests: Vec<&str> = quoted(shown).collect();
        if tests.is_empty() {
            mistakes.push(format!("line {number} names no test, and does not say why: {shown:?}"));
        }
        let missing = tests.into_iter().filter(|test| !names.contains(*test));
        mistakes.extend(missing.map(|test| format!("line {number}: there is no test {test}")));
    }
    assert!(mistakes.is_empty(), "docs/parity.md:\n{}", mistakes.join("\n"));
    assert!(rows > 100, "only {rows} rows were found");
}

#[test]
fn every_row_of_parity_says_where() {
    let mut place = None;
    let mut mistakes = Vec::new();
    for (number, line) in table().lines().enumerate().map(|(index, line)| (index + 1, line)) {
        if line.ends_with("| Shown by |") {
            place = line.split('|').position(|cell| cell.trim() == "Where");
        }
        let (Some(cells), Some(place)) = (cells(line), place) else { continue };
        // Before the first bar of a line there is nothing.
        let is_named = cells.get(place - 1).is_some_and(|cell| quoted(cell).any(is_file));
        if !is_named {
            mistakes.push(number);
        }
    }
    assert!(mistakes.is_empty(), "docs/parity.md does not say where in the lines {mistakes:?}");
}

fn is_file(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|ending| ending == "rs")
}

#[test]
fn every_file_that_parity_names_exists() {
    let root = workspace();
    let mut missing = Vec::new();
    for line in table().lines() {
        let named = cells(line).into_iter().flatten().flat_map(quoted);
        missing.extend(named.filter(|name| is_file(name)).filter(|file| !root.join(file).is_file()).map(str::to_owned));
    }
    assert!(missing.is_empty(), "docs/parity.md names what is not there: {missing:?}");
}

#[test]
fn rows_names_and_reasons_are_told_apart() {
    assert_eq!(cells("| a `b` | | `c` |"), Some(vec!["a `b`", "", "`c`"]));
    assert_eq!(cells("| Python | Shown by |"), None);
    assert_eq!(cells("| --- | --- |"), None);
    assert_eq!(cells("a line | with a bar"), None);
    assert!(is_put_off("not yet") && is_put_off("no test: it is not here yet") && !is_put_off("done, not yet, failed"));
    assert_eq!(quoted("`one`, and `two`").collect::<Vec<_>>(), ["one", "two"]);
    let so = Some("it_is_so".to_owned());
    assert_eq!(name_after_mark("\n    #[expect(lint)]\n    fn it_is_so() {\n    }"), so);
    assert_eq!(name_after_mark("` in a text\n fn it_is_so() {"), None);
    assert_eq!(name_in_list("        waiting::it_is_so,"), so);
    assert_eq!(name_in_list("    waiting::it_is_so(&devices);"), None);
}
