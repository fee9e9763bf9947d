morango::scope_definitions! {
    profile = "notebook";
    "text" (version = 1) { read: "a" }
    "name" (version = 1) { write: [a, 5] }
    "sign" (version = 1) { write = ["a"] }
}

fn main() {}
