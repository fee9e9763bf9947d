morango::scope_definitions! {
    profile = "notebook";
    "reader" { read: ["a"] }
}

fn main() {}
