mod checks;
mod engine;
mod machine;
mod paths;
fn main() {}
