morango::scope_definitions! {
    profile = "notebook";
    "text" (version = "1") { read: ["a"] }
    "less" (version = -1) { read: ["a"] }
    "none" () { read: ["a"] }
}

fn main() {}
