morango::scope_definitions! {
    profile = "notebook";
    "reader" (version = 1, version = 2) { read: ["a"], read: ["b"] }
}

fn main() {}
