//! Who may import whom: the invariants of ARCHITECTURE.md that a program can hold.
//!
//! Method: every source file of a crate is read, comments left out, and each `crate::room` or `morango::room` that it
//! names is held against the list of rooms. A new arrow between rooms fails here until it is decided on.

use std::fs;
use std::path::{Path, PathBuf};

/// The rooms of the crate `morango`, from the ground up. A room may name those before it and itself.
const ROOMS: [&str; 16] = [
    "limits", "error", "id", "scope", "identity", "counter", "model", "record", "session", "port", "hook", "transfer",
    "engine", "wire", "client", "server",
];
/// The first rooms are the ground that everybody stands on; they may name each other.
const GROUND: usize = 3;
/// Arrows that the order would allow and that are refused all the same.
const REFUSED: [(&str, &str); 3] = [("wire", "transfer"), ("wire", "engine"), ("server", "client")];

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests lie in the workspace").to_owned()
}

/// Every Rust file below a folder, with its text free of comments.
fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("its entries too").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = fs::read_to_string(&path).expect("a source file is text");
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
            found.push((path, code));
        }
    }
    found
}

/// The rooms that a text names behind a prefix: `crate::scope::Filter` and `use crate::{scope, id::SyncId}`.
fn named(code: &str, prefix: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (start, _) in code.match_indices(prefix) {
        let before = code[..start].chars().next_back();
        if before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_' || letter == ':') {
            continue;
        }
        let rest = &code[start + prefix.len()..];
        match rest.strip_prefix('{') {
            Some(list) => {
                let mut depth = 0_usize;
                let mut name = String::new();
                for letter in list.chars() {
                    match letter {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => names.push(std::mem::take(&mut name)),
                        _ if depth == 0 => name.push(letter),
                        _ => {}
                    }
                }
                names.push(name);
            }
            None => names.push(rest.to_owned()),
        }
    }
    names
        .into_iter()
        .map(|name| name.trim().chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect())
        .collect()
}

fn room_of(path: &Path, sources: &Path) -> String {
    let inside = path.strip_prefix(sources).expect("the file lies in the crate");
    let first = inside.components().next().expect("it has a name").as_os_str().to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

#[test]
fn every_room_of_the_engine_names_only_rooms_above_it() {
    let folder = workspace().join("morango/src");
    let mut mistakes = Vec::new();
    for (path, code) in sources(&folder) {
        let room = room_of(&path, &folder);
        if matches!(room.as_str(), "lib" | "prelude") {
            continue;
        }
        let own = ROOMS.iter().position(|name| *name == room);
        let own = own.unwrap_or_else(|| panic!("{} lies in a room that no list knows", path.display()));
        for name in named(&code, "crate::") {
            let Some(other) = ROOMS.iter().position(|known| *known == name) else { continue };
            let is_below = other > own && !(other < GROUND && own < GROUND);
            if is_below || REFUSED.contains(&(room.as_str(), name.as_str())) {
                mistakes.push(format!("{}: `{room}` names `{name}`", path.display()));
            }
        }
    }
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
}

#[test]
fn the_engine_knows_neither_sql_nor_diesel() {
    let folder = workspace().join("morango/src");
    for (path, code) in sources(&folder) {
        // Rust asks that a foreign trait be implemented beside the type: this one file holds those impls.
        if path.ends_with("id/sql.rs") || path.ends_with("id/hex.rs") {
            continue;
        }
        assert!(named(&code, "diesel::").is_empty(), "{} names Diesel", path.display());
    }
}

#[test]
fn the_storage_never_names_the_network() {
    let folder = workspace().join("morango-diesel/src");
    for (path, code) in sources(&folder) {
        for name in named(&code, "morango::") {
            assert!(!matches!(name.as_str(), "client" | "server" | "wire"), "{} names `{name}`", path.display());
        }
    }
}

#[test]
fn the_law_knows_neither_a_database_nor_the_network() {
    let folder = workspace().join("morango-memory/src");
    for (path, code) in sources(&folder) {
        assert!(named(&code, "diesel::").is_empty(), "{} names Diesel", path.display());
        assert!(named(&code, "morango_diesel::").is_empty(), "{} names a storage that it judges", path.display());
        for name in named(&code, "morango::") {
            let is_above = matches!(name.as_str(), "client" | "server" | "wire" | "transfer" | "engine");
            assert!(!is_above, "{} names `{name}`", path.display());
        }
    }
}

#[test]
fn the_derive_depends_on_no_crate_of_ours() {
    let manifest = fs::read_to_string(workspace().join("morango-derive/Cargo.toml")).expect("the manifest");
    let dependencies = manifest
        .split("[dependencies]")
        .nth(1)
        .and_then(|rest| rest.split("\n[").next())
        .expect("the manifest has dependencies");
    assert!(!dependencies.contains("morango"), "morango-derive depends on one of ours:\n{dependencies}");
}

#[test]
fn names_in_use_lists_are_found() {
    let code = "use crate::{Error, id::{SyncId, hash}, scope};\nlet x = crate::wire::y; mycrate::nothing";
    assert_eq!(named(code, "crate::"), ["Error", "id", "scope", "wire"]);
}
