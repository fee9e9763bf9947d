morango::scope_definitions! {
    profile = "notebook";
    "blank" (version = 1) { read: [""] }
    "space" (version = 1) { read: ["a b"] }
    "dollar" (version = 1) { read: ["a$"] }
}

fn main() {}
