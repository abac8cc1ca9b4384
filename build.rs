//! Links the program without libc and start files, on the gnu target as on musl, and gives it its version, commit and
//! features.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
    time::{SystemTime, UNIX_EPOCH},
};

/// Only for the program: the library and the tests link as usual.
const LINK: &str = include_str!("src/start.args");

/// What the program is made from: a commit with changes in these is not that commit.
const SOURCES: &[&str] = &["src", "build.rs", "Cargo.toml", "Cargo.lock"];

fn main() {
    let top = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    for argument in LINK.lines() {
        println!("cargo::rustc-link-arg-bin=dockerlaunch={argument}");
    }
    println!(
        "cargo::rustc-link-arg-bin=dockerlaunch=-Wl,-T,{}",
        top.join("src/start.ld").display()
    );
    for source in SOURCES {
        rerun_if_changed(&top.join(source));
    }

    // An appliance may have another daemon than dockerd, if none is named.
    println!("cargo::rerun-if-env-changed=DOCKERLAUNCH_DEFAULT_DAEMON");
    let daemon = env::var("DOCKERLAUNCH_DEFAULT_DAEMON").unwrap_or_else(|_| "dockerd".into());
    println!("cargo::rustc-env=DOCKERLAUNCH_DEFAULT_DAEMON={daemon}");

    // The length of a second in the waits before a restart and for readiness. Only tests shorten it, to see a thousand restarts.
    println!("cargo::rerun-if-env-changed=DOCKERLAUNCH_BACKOFF_MS");
    let backoff = env::var("DOCKERLAUNCH_BACKOFF_MS").unwrap_or_else(|_| "1000".into());
    println!("cargo::rustc-env=DOCKERLAUNCH_BACKOFF_MS={backoff}");

    // How long unmounting may take, in seconds. Only tests shorten it, to see a disk that hangs.
    println!("cargo::rerun-if-env-changed=DOCKERLAUNCH_UNMOUNT_S");
    let unmount = env::var("DOCKERLAUNCH_UNMOUNT_S").unwrap_or_else(|_| "300".into());
    println!("cargo::rustc-env=DOCKERLAUNCH_UNMOUNT_S={unmount}");

    // A clock before this time is wrong: the commit's time, or the time of the build if there is no commit.
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
    let built = env::var("SOURCE_DATE_EPOCH").ok();
    let built = built.or_else(|| git(&top, &["log", "-1", "--format=%ct"]));
    println!(
        "cargo::rustc-env=DOCKERLAUNCH_BUILT={}",
        built.unwrap_or_else(now)
    );

    let version = env::var("CARGO_PKG_VERSION").expect("cargo sets it");
    let commit = commit(&top).map_or(String::new(), |commit| format!(" ({commit})"));
    println!("cargo::rustc-env=DOCKERLAUNCH_VERSION={version}{commit}");
    println!("cargo::rustc-env=DOCKERLAUNCH_FEATURES={}", features());
}

/// Sorted, as `CARGO_CFG_FEATURE` lists them.
fn features() -> String {
    let list = env::var("CARGO_CFG_FEATURE").unwrap_or_default();
    let mut features: Vec<_> = list
        .split(',')
        .filter(|name| !["", "default"].contains(name))
        .collect();
    features.sort_unstable();
    if features.is_empty() {
        "none".into()
    } else {
        features.join(" ")
    }
}

/// The commit that is checked out, `+` where the sources differ from it. None without git, outside a repository, or in
/// somebody else's (an unpacked crate may lie in one).
fn commit(top: &Path) -> Option<String> {
    let git = |arguments: &[&str]| git(top, arguments);
    let repository = PathBuf::from(git(&["rev-parse", "--show-toplevel"])?);
    if repository.canonicalize().ok()? != top.canonicalize().ok()? {
        return None;
    }
    let place = |name: &str| Some(top.join(git(&["rev-parse", "--git-path", name])?));
    // A commit or a checkout changes one of these: HEAD, its log, the branch; or, where the branch is packed, the folder that
    // gets its file with the next commit.
    let branch = git(&["symbolic-ref", "--quiet", "HEAD"]).unwrap_or("HEAD".into());
    let branch = place(&branch)?;
    let branch = if branch.exists() {
        &branch
    } else {
        branch.parent()?
    };
    for path in [&place("HEAD")?, &place("logs/HEAD")?, branch] {
        rerun_if_changed(path);
    }
    let commit = git(&["rev-parse", "--short=12", "HEAD"])?;
    let changes = git(&[&["status", "--porcelain", "--"], SOURCES].concat())?;
    Some(commit + if changes.is_empty() { "" } else { "+" })
}

/// What git prints, where it succeeds.
fn git(top: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .current_dir(top)
        .arg("--no-optional-locks")
        .args(arguments)
        .output()
        .ok()?;
    let said = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| said.trim().to_owned())
}

fn now() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| now.as_secs()).to_string()
}

/// Cargo runs this script every time for a file that is not there.
fn rerun_if_changed(path: &Path) {
    if path.exists() {
        println!("cargo::rerun-if-changed={}", path.display());
    }
}
