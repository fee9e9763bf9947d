morango::scope_definitions! {
    profile = notebook;
    "reader" (version = 1) { read: ["a"] }
}

fn main() {}
