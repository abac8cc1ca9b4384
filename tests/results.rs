//! No result is dropped silently: results.txt lists each line that could hide an errno, with the reason why nothing depends on
//! it or why the decision is right. A new `.ok()`, `is_ok`, `is_err`, `unwrap_or_default` or `let _` needs a line, and a line that is
//! no longer needed must go. `fs::There` is the way to ask whether a file exists.

use crate::{
    floors::{code, sources},
    util::{Needs, tests},
};

tests![Needs::Nothing;
    d8_no_result_is_dropped_without_a_reason,
    d8_what_drops_a_result_is_found,
];

/// Code that drops a result, or may drop one.
const DROPS: [&str; 8] = [
    ".ok()",
    "Result::ok",
    ".is_ok(",
    ".is_ok_and(",
    ".is_err(",
    ".unwrap_or_default()",
    "let _ =",
    "=> _ =",
];

/// What comes before it shows that it is an Option's: there is no errno.
const OPTIONS: [&str; 9] = [
    ".get(",
    ".get_mut(",
    ".next().unwrap",
    ".last().unwrap",
    ".strip_",
    "letters.unwrap",
    "value.unwrap",
    "lease.found(",
    ".variable(",
];

/// A buffer of fixed size, or text that is no path: if something does not fit, the fault is the program's own, not the kernel's.
const BUFFERS: [&str; 7] = [
    ".push(",
    ".push_all(",
    ".extend_from_slice(",
    "Text::of(",
    "Text::<",
    "::try_from(",
    "Name::of(",
];

/// One line each: the file, a part of the line, and the reason.
const REASONS: &str = include_str!("results.txt");

/// The file, the part and the reason.
fn reasons() -> Vec<(&'static str, &'static str, &'static str)> {
    let parts = |line: &'static str| {
        let (file, rest) = line.split_once(": ")?;
        let (part, reason) = rest.split_once(" # ")?;
        Some((file, part, reason))
    };
    REASONS
        .lines()
        .map(|line| parts(line).unwrap_or_else(|| panic!("not a row: {line}")))
        .collect()
}

fn drops(line: &str) -> bool {
    // `NonZero::get()` does not index a slice.
    let line = line.replace(".get()", "");
    DROPS.iter().any(|drop| line.contains(drop))
        && !OPTIONS
            .iter()
            .chain(&BUFFERS)
            .any(|before| line.contains(before))
}

fn d8_no_result_is_dropped_without_a_reason() {
    let reasons = reasons();
    let (mut without, mut used) = (Vec::new(), vec![false; reasons.len()]);
    let of_the_program = |(file, _): &(String, String)| !file.ends_with("tests");
    for (file, source) in sources().into_iter().filter(of_the_program) {
        for line in code(&source)
            .lines()
            .map(str::trim)
            .filter(|line| drops(line))
        {
            let is_it =
                |(known, part, _): &(&str, &str, &str)| *known == file && line.contains(part);
            match reasons.iter().position(is_it) {
                Some(number) => used[number] = true,
                None => without.push(format!("{file}.rs: {line}")),
            }
        }
    }
    let idle = reasons.iter().zip(used).filter(|(_, used)| !used);
    let idle: Vec<_> = idle.map(|(reason, _)| reason).collect();
    assert!(
        without.is_empty(),
        "these lines have no reason in tests/results.txt: {without:#?}"
    );
    assert!(
        idle.is_empty(),
        "no line matches these rows of tests/results.txt: {idle:#?}"
    );
}

fn d8_what_drops_a_result_is_found() {
    for line in [
        "let _ = unlink(path);",
        "if stat(path).is_ok() {",
        "let there = open(path).ok();",
        "Err(errno) => _ = report(errno),",
        "let text = read_small(path, &mut buffer).unwrap_or_default();",
    ] {
        assert!(drops(line), "{line}");
    }
    for line in [
        "let rest = bytes.get(1..).unwrap_or_default();",
        "let _ = line.push(byte);",
        "let id = u32::try_from(number).ok()?;",
    ] {
        assert!(!drops(line), "{line}");
    }
}
