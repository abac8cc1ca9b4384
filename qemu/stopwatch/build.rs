//! Links the programs without libc and start files, as dockerlaunch is: what they measure is theirs alone.

const LINK: &str = include_str!("../../src/start.args");

fn main() {
    for argument in LINK.lines() {
        println!("cargo::rustc-link-arg-bins={argument}");
    }
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=../../src/start.args");
}
