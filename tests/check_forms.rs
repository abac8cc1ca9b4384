//! The two forms of `--check`: lines for people, and JSON lines with the same contents, whatever the input.

use crate::{
    check::{check, objects, of, whole},
    prerequisites::remove,
    util::{Needs, tests},
};

tests![Needs::Check;
    both_forms_have_the_same_contents,
    lines_are_aligned_and_contain_no_newline,
    json_holds_any_byte,
];

fn both_forms_have_the_same_contents() {
    let root = whole();
    remove(&root, "xz");
    let human = check(&root, "--check").ended();
    let json = check(&root, "--check=json").ended();
    assert_eq!(human.status, json.status);
    let told: Vec<(String, String)> = human
        .stdout
        .lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .map(|line| {
            (
                line[14..].split("  ").next().unwrap().into(),
                line[2..14].trim().to_lowercase(),
            )
        })
        .collect();
    let listed: Vec<(String, String)> = objects(&json)
        .iter()
        .filter(|object| object["kind"] != "verdict")
        .map(|object| {
            (
                object["name"].as_str().unwrap().into(),
                object["state"].as_str().unwrap().into(),
            )
        })
        .collect();
    assert_eq!(told, listed);
    assert!(told.len() > 40, "{told:?}");
}

fn lines_are_aligned_and_contain_no_newline() {
    let root = whole();
    let ended = check(&root, "--check")
        .words(["a\ndaemon\u{1b}[2J"])
        .variable("DOCKER_LAUNCH_\n", "\t")
        .ended();
    for line in ended.stdout.lines().filter(|line| line.starts_with("  ")) {
        let columns: Vec<_> = line.chars().collect();
        assert!(
            !columns.iter().any(|letter| letter.is_control()),
            "{line:?}"
        );
        // Two spaces end a column, and a column begins where the width of the one before it ends.
        assert!(
            columns[13] == ' ' && columns[38] == ' ' && columns[39] != ' ',
            "{line}"
        );
    }
    assert!(
        ended.stdout.contains("for a?daemon?[2J\n") && ended.stdout.contains("DOCKER_LAUNCH_?=?")
    );
}

fn json_holds_any_byte() {
    use std::os::unix::ffi::OsStrExt;
    let root = whole();
    let daemon = std::ffi::OsStr::from_bytes(b"\xff\"\\\x01\n\xc3\xa9");
    let ended = check(&root, "--check=json").words([daemon]).ended();
    assert_eq!(
        of(&objects(&ended), "dockerlaunch")["daemon"],
        "\u{fffd}\"\\\u{1}\n\u{e9}"
    );
}
