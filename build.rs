//! Links the program without libc and start files, on the gnu target as on musl, and tells it its version.

use std::{
    env,
    path::Path,
    process::Command,
    time::{SystemTime, UNIX_EPOCH},
};

/// Only for the program: the library and the tests link as usual.
const LINK: &[&str] = &[
    "-nostartfiles",
    "-nostdlib",
    "-static",
    "-no-pie",
    "-Wl,--build-id=none,--no-eh-frame-hdr,-z,norelro,-z,noseparate-code",
];

fn main() {
    let script =
        Path::new(&env::var("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("src/start.ld");
    for argument in LINK {
        println!("cargo::rustc-link-arg-bin=dockerlaunch={argument}");
    }
    println!(
        "cargo::rustc-link-arg-bin=dockerlaunch=-Wl,-T,{}",
        script.display()
    );
    println!("cargo::rerun-if-changed=src/start.ld");
    println!("cargo::rerun-if-changed=build.rs");

    // Another daemon than dockerd for an appliance that is started without words.
    println!("cargo::rerun-if-env-changed=DOCKERLAUNCH_DEFAULT_DAEMON");
    let daemon = env::var("DOCKERLAUNCH_DEFAULT_DAEMON").unwrap_or_else(|_| "dockerd".into());
    println!("cargo::rustc-env=DOCKERLAUNCH_DEFAULT_DAEMON={daemon}");

    // How long the first wait before a restart is. Only a test shortens it: it sees a thousand restarts.
    println!("cargo::rerun-if-env-changed=DOCKERLAUNCH_BACKOFF_MS");
    let backoff = env::var("DOCKERLAUNCH_BACKOFF_MS").unwrap_or_else(|_| "1000".into());
    println!("cargo::rustc-env=DOCKERLAUNCH_BACKOFF_MS={backoff}");

    // What a clock is measured by. The same source and the same compiler make the same program.
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
    let built = env::var("SOURCE_DATE_EPOCH").ok().or_else(commit_date);
    println!(
        "cargo::rustc-env=DOCKERLAUNCH_BUILT={}",
        built.unwrap_or_else(now)
    );
}

fn commit_date() -> Option<String> {
    let git = Command::new("git")
        .args(["log", "-1", "--format=%ct"])
        .output()
        .ok()?;
    let date = String::from_utf8(git.stdout).ok()?.trim().to_owned();
    (!date.is_empty()).then_some(date)
}

fn now() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| now.as_secs()).to_string()
}
