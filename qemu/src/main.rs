mod checks;
mod engine;
fn main() {}
