morango::scope_definitions! {
    "reader" (version = 1) { read: ["a"] }
}

fn main() {}
