morango::scope_definitions! {
    profil = "notebook";
    "reader" (version = 1, primery = a) { reads: ["${a}"], everything: ["a"] }
}

fn main() {}
