morango::scope_definitions! {
    profile = "notebook";
    "nothing" (version = 1) {}
    "empty" (version = 1) { read: [], write: [] }
}

fn main() {}
