morango::scope_definitions! {
    profile = "notebook";
    "whole" (version = 1, primary = owner_id) {
        read_write: ["${owner_id}", "$owner_id:notes", "${owner_id_2}"],
        read: ["public"],
        write: ["x${owner_id}", "$$owner_id"],
    }
}

fn main() {}
