//! Links the programs without libc and start files, as dockerlaunch is: what they measure is theirs alone.

const LINK: &[&str] = &[
    "-nostartfiles",
    "-nostdlib",
    "-static",
    "-no-pie",
    "-Wl,--build-id=none,--no-eh-frame-hdr,-z,norelro,-z,noseparate-code",
];

fn main() {
    for argument in LINK {
        println!("cargo::rustc-link-arg-bins={argument}");
    }
    println!("cargo::rerun-if-changed=build.rs");
}
