morango::scope_definitions! {
    profile = "notebook";
    #[cfg(test)]
    "reader" (version = 1) { read: ["a"] }
}

fn main() {}
