//! The README's table of what Docker needs is the program's own. DOCKERLAUNCH_WRITE_README=1 writes it there.

use crate::util::{Needs, program, tests};
use serde_json::Value;
use std::{env, fs, path::Path, process::Command};

tests![Needs::Check;
    the_table_is_the_programs_own,
    its_sample_is_what_is_told,
];

const HEAD: &str = "| needed | by | without it | can it be ignored? | Cargo feature |\n| --- | --- | --- | --- | --- |\n";
const ADVICE: &str = "README.md differs from the program's table; DOCKERLAUNCH_WRITE_README=1 cargo test readme writes it";

fn requirements() -> Vec<Value> {
    let output = Command::new(program())
        .arg("--check=json")
        .output()
        .unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    let mut all: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    all.retain(|object| object["kind"] == "requirement");
    all
}

fn row(requirement: &Value) -> String {
    let text = |key: &str| requirement[key].as_str().unwrap();
    let code = |text: &str| {
        if text.is_empty() {
            String::new()
        } else {
            format!("`{text}`")
        }
    };
    let mut without = text("lost").to_owned();
    if !text("error").is_empty() {
        without = format!("{without}: {}", code(text("error")));
    }
    let (name, feature) = (code(text("name")), code(text("feature")));
    format!(
        "| {name} | {} | {without} | {} | {feature} |\n",
        text("needed_by"),
        text("ignorable")
    )
}

fn the_table_is_the_programs_own() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(&path).unwrap();
    let start = readme.find(HEAD).expect(ADVICE);
    let length = readme[start..].find("\n\n").unwrap() + 1;
    let table: String = requirements().iter().map(row).collect();
    let table = format!("{HEAD}{table}");
    if env::var_os("DOCKERLAUNCH_WRITE_README").is_some() {
        let (before, after) = (&readme[..start], &readme[start + length..]);
        fs::write(path, format!("{before}{table}{after}")).unwrap();
    } else {
        assert_eq!(&readme[start..start + length], table, "{ADVICE}");
    }
}

/// The lines of the sample for a missing iptables.
fn its_sample_is_what_is_told() {
    let readme =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let output = Command::new(program())
        .arg("--check")
        .env("PATH", "/none")
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let start = said.find("  MISSING     iptables").unwrap();
    let sample: Vec<_> = said[start..].lines().take(3).collect();
    for line in sample {
        assert!(readme.contains(&format!("    {line}\n")), "{line}");
    }
}
