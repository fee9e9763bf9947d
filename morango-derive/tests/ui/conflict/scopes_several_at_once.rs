morango::scope_definitions! {
    profile = "notebook";
    "reader" (version = one) { read: ["$"], red: ["a"] }
    "reader" (primary = owner) { write: ["${user}:a b", "${user}"] }
}

fn main() {}
