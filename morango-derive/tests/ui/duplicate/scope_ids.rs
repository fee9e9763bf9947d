morango::scope_definitions! {
    profile = "notebook";
    "reader" (version = 1) { read: ["a"] }
    "reader" (version = 2) { read: ["a"] }
}

fn main() {}
