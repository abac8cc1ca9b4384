//! The built program: static, without a loader, never writable and executable at once, without core's formatting.

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
    the_release_program_formats_nothing,
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
    // Without that header the kernel would give an executable stack.
    assert!(segments.iter().any(|header| header.p_type == PT_GNU_STACK));
    assert!(segments.iter().any(|header| header.p_flags & PF_X != 0));
}

/// With its symbols: the harness names one, or it is built here.
fn unstripped() -> PathBuf {
    env::var_os("DOCKERLAUNCH_UNSTRIPPED").map_or_else(|| release("unstripped", &[]), PathBuf::from)
}

/// The release program of this machine's target, with its symbols, in a folder of its own.
pub(crate) fn release(folder: &str, variables: &[(&str, &str)]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(folder);
    let status = Command::new(env!("CARGO"))
        .args([
            "build",
            "--quiet",
            "--release",
            "--locked",
            "--offline",
            "--bin",
            "dockerlaunch",
        ])
        .arg("--manifest-path")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&folder)
        .env("CARGO_PROFILE_RELEASE_STRIP", "none")
        .envs(variables.iter().copied())
        .status()
        .unwrap();
    assert!(status.success());
    folder.join("release/dockerlaunch")
}

fn the_release_program_formats_nothing() {
    let bytes = fs::read(unstripped()).unwrap();
    let elf = Elf::parse(&bytes).unwrap();
    let symbols: Vec<_> = elf
        .syms
        .iter()
        .filter_map(|symbol| elf.strtab.get_at(symbol.st_name))
        .collect();
    assert!(symbols.contains(&"_start"), "it has no symbols to judge by");
    // In both of rustc's manglings a path's parts stand behind their lengths.
    let found: Vec<_> = symbols
        .iter()
        .filter(|name| name.contains("4core3fmt"))
        .collect();
    assert_eq!(found, [&""; 0]);
}
