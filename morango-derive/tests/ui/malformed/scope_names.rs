morango::scope_definitions! {
    profile = "a-profile-of-21-chars";
    "" (version = 1) { read: ["a"] }
    "a-scope-of-20-chars" (version = 1) { read: ["a"] }
    "a-definition-too-long" (version = 1) { read: ["a"] }
}

fn main() {}
