morango::scope_definitions! {

}

fn main() {}
