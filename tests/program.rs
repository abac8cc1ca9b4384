//! The built program: static, needs no loader, has no memory that is both writable and executable, no formatting of core.

use crate::util::{Needs, program, tests};
use goblin::elf::{
    Elf,
    header::{EM_X86_64, ET_EXEC},
    program_header::{PF_W, PF_X, PT_DYNAMIC, PT_GNU_STACK, PT_INTERP, PT_LOAD},
};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

tests![Needs::Nothing;
    it_is_static_and_needs_no_loader,
    nothing_is_writable_and_executable,
    a_program_without_features_contains_no_text_of_features;
    Needs::Symbols => g7_the_release_program_formats_nothing
];

fn it_is_static_and_needs_no_loader() {
    let bytes = fs::read(program()).unwrap();
    let elf = Elf::parse(&bytes).unwrap();
    assert_eq!(
        (elf.header.e_type, elf.header.e_machine),
        (ET_EXEC, EM_X86_64)
    );
    for header in &elf.program_headers {
        assert!(
            ![PT_INTERP, PT_DYNAMIC].contains(&header.p_type),
            "{header:?}"
        );
    }
    assert_eq!(elf.libraries, [""; 0]);
}

fn nothing_is_writable_and_executable() {
    let bytes = fs::read(program()).unwrap();
    let elf = Elf::parse(&bytes).unwrap();
    let segments: Vec<_> = elf
        .program_headers
        .iter()
        .filter(|header| [PT_LOAD, PT_GNU_STACK].contains(&header.p_type))
        .collect();
    for header in &segments {
        assert_ne!(header.p_flags & (PF_W | PF_X), PF_W | PF_X, "{header:?}");
    }
    // Without this header the kernel would make the stack executable.
    assert!(segments.iter().any(|header| header.p_type == PT_GNU_STACK));
    assert!(segments.iter().any(|header| header.p_flags & PF_X != 0));
}

/// Whether it is stripped: the release build has no symbols.
fn is_stripped(program: &Path) -> bool {
    Elf::parse(&fs::read(program).unwrap())
        .unwrap()
        .syms
        .is_empty()
}

/// The program under test if it is stripped, else the release program for this machine's target.
pub(crate) fn as_it_ships() -> PathBuf {
    let program = program();
    if is_stripped(&program) {
        program
    } else {
        release("unstripped", &[])
    }
}

/// The same program with its symbols. The harness names one; its code and constants are identical, byte for byte.
fn unstripped() -> PathBuf {
    let program = program();
    if !is_stripped(&program) {
        return release("unstripped", &[]);
    }
    let unstripped = PathBuf::from(env::var_os(SYMBOLS).unwrap());
    let same = code(&program) == code(&unstripped);
    assert!(
        same,
        "{SYMBOLS} names another program than DOCKERLAUNCH_BIN"
    );
    unstripped
}

fn code(program: &Path) -> Vec<u8> {
    let bytes = fs::read(program).unwrap();
    let elf = Elf::parse(&bytes).unwrap();
    let name = |name| elf.shdr_strtab.get_at(name) == Some(".text");
    let mut sections = elf.section_headers.iter();
    let text = sections.find(|section| name(section.sh_name)).unwrap();
    bytes[text.file_range().unwrap()].to_vec()
}

const SYMBOLS: &str = "DOCKERLAUNCH_BIN_SYMBOLS";

/// Without symbols nobody can know what a stripped program contains.
pub(crate) fn has_symbols() -> bool {
    env::var_os(SYMBOLS).is_some() || !is_stripped(&program())
}

/// A release program without features.
pub(crate) fn bare() -> PathBuf {
    build("bare", &["--release", "--no-default-features"], |cargo| {
        cargo
    })
}

/// The release program for this machine's target, with its symbols, in a folder of its own.
pub(crate) fn release(folder: &str, variables: &[(&str, &str)]) -> PathBuf {
    build(folder, &["--release"], |cargo| {
        cargo
            .env("CARGO_PROFILE_RELEASE_STRIP", "none")
            .envs(variables.iter().copied())
    })
}

/// A program of its own, below a folder of that name.
fn build(name: &str, words: &[&str], change: impl FnOnce(&mut Command) -> &mut Command) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args([
            "build",
            "--quiet",
            "--locked",
            "--offline",
            "--bin",
            "dockerlaunch",
        ])
        .args(words)
        .arg("--manifest-path")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&folder);
    assert!(change(&mut cargo).status().unwrap().success());
    let profile = if words.contains(&"--release") {
        "release"
    } else {
        "debug"
    };
    folder.join(profile).join("dockerlaunch")
}

fn g7_the_release_program_formats_nothing() {
    let bytes = fs::read(unstripped()).unwrap();
    let elf = Elf::parse(&bytes).unwrap();
    let symbols: Vec<_> = elf
        .syms
        .iter()
        .filter_map(|symbol| elf.strtab.get_at(symbol.st_name))
        .collect();
    assert!(symbols.contains(&"_start"), "the program has no symbols");
    // In both of rustc's manglings the parts of a path come after their lengths.
    let found: Vec<_> = symbols
        .iter()
        .filter(|name| name.contains("4core3fmt"))
        .collect();
    assert_eq!(found, [&""; 0]);
}

/// The texts of the table's rows with a feature, and those of --check, which is compiled out as well.
fn a_program_without_features_contains_no_text_of_features() {
    let bare = bare();
    let bytes = fs::read(&bare).unwrap();
    let holds = |text: &str| {
        bytes
            .windows(text.len())
            .any(|window| window == text.as_bytes())
    };
    for text in TEXTS {
        assert!(!holds(text), "{text}");
    }
    // The program contains the texts of the other rows, so the search works.
    for text in [
        "containerd-shim-runc-v2",
        "--userland-proxy=false",
        "docker top fails",
    ] {
        assert!(holds(text), "{text}");
    }
    let ended = Command::new(&bare).arg("--check").output().unwrap();
    let line = "dockerlaunch: usage --check: this build has no check: it needs the Cargo feature `check`\n";
    assert_eq!(
        (
            ended.status.code(),
            String::from_utf8(ended.stderr).unwrap().as_str(),
            ended.stdout
        ),
        (Some(2), line, Vec::new())
    );
}

/// Names, packages and other texts of the rows with a feature, and those that only --check prints.
const TEXTS: &[&str] = &[
    "iptables",
    "ip6tables",
    "nftables",
    "git-submodule",
    "git-clone",
    "git-core",
    "docker build",
    "openssh-client",
    "kmod",
    "/proc/modules",
    "xz-utils",
    "docker import",
    "executable file not found",
    "engine: ",
    "can it be ignored",
];
