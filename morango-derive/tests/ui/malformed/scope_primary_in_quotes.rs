morango::scope_definitions! {
    profile = "notebook";
    "whole" (version = 1, primary = "owner_id") { read: ["${owner_id}"] }
}

fn main() {}
