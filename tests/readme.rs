//! The README is short, its links and those of its pages resolve, and the table of what Docker needs is the program's own:
//! DOCKERLAUNCH_WRITE_README=1 writes it to its page.

use crate::util::{Needs, program, tests};
use serde_json::Value;
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

tests![Needs::Check;
    the_table_is_the_programs_own,
    the_sample_matches_the_log;
    Needs::Nothing =>
    the_readme_is_short,
    no_line_is_long,
    links_lead_to_files,
    every_page_is_shown,
    link_names_are_defined_and_used,
    links_and_prose_are_found,
];

const HEAD: &str = "| needed | by | without it | can it be ignored? | Cargo feature |\n| --- | --- | --- | --- | --- |\n";
const ADVICE: &str = "src/guide/needs.md differs from the program's table; DOCKERLAUNCH_WRITE_README=1 cargo test readme writes it";
const NEEDS: &str = "src/guide/needs.md";
/// docs.rs does not show it.
const CONTRIBUTING: &str = "CONTRIBUTING.md";

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn text(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The README, its pages and CONTRIBUTING.md, by their paths in the repository.
fn all() -> Vec<(String, String)> {
    let pages = fs::read_dir(path("src/guide")).unwrap();
    let pages = pages.map(|page| page.unwrap().file_name().into_string().unwrap());
    let names = pages.map(|page| format!("src/guide/{page}"));
    let names = names.chain(["README.md", CONTRIBUTING].map(String::from));
    names.map(|name| (name.clone(), text(&name))).collect()
}

/// The lines that are not in a block of code, each with its number.
fn prose(page: &str) -> Vec<(usize, &str)> {
    let mut is_code = false;
    let mut lines: Vec<_> = (1..).zip(page.lines()).collect();
    lines.retain(|(_, line)| {
        let fence = line.starts_with("```");
        is_code ^= fence;
        !is_code && !fence
    });
    lines
}

/// The targets of links: `[text](target)`, or a line `[name]: target`.
fn links(page: &str) -> Vec<&str> {
    let mut links = Vec::new();
    for (_, line) in prose(page) {
        let inline = line.split("](").skip(1);
        links.extend(inline.map(|rest| rest.split(')').next().unwrap()));
        let definition = line.strip_prefix('[');
        links.extend(definition.and_then(|rest| Some(rest.split_once("]: ")?.1)));
    }
    links
}

fn the_readme_is_short() {
    const MOST: usize = 250;
    let lines = text("README.md").lines().count();
    assert!(lines <= MOST, "README.md has {lines} lines");
}

fn no_line_is_long() {
    const MOST: usize = 120;
    for (name, page) in all() {
        for (number, line) in prose(&page) {
            let length = line.chars().count();
            assert!(
                line.starts_with('|') || length <= MOST,
                "{name}:{number}: {length} characters"
            );
        }
    }
}

fn links_lead_to_files() {
    for (name, page) in all() {
        let folder = path(&name).parent().unwrap().to_owned();
        for link in links(&page) {
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            if file.contains("://") {
                continue;
            }
            let target = if file.is_empty() {
                path(&name)
            } else {
                folder.join(file)
            };
            assert!(target.is_file(), "{name}: {link} does not exist");
            let target = fs::read_to_string(target).unwrap();
            let has = |(_, line): (usize, &str)| {
                let title = line.trim_start_matches('#').trim().to_lowercase();
                line.starts_with('#') && title.replace(' ', "-") == heading
            };
            assert!(
                heading.is_empty() || prose(&target).into_iter().any(has),
                "{name}: there is no heading for {link}"
            );
        }
    }
}

/// Links work in the README, which names every page, and on docs.rs, where guide.rs defines a page's links: the text has none.
fn every_page_is_shown() {
    let guide = text("src/guide.rs");
    let readme = text("README.md");
    for (name, page) in all() {
        if name == CONTRIBUTING {
            continue;
        }
        let file = name.trim_start_matches("src/");
        assert!(guide.contains(&format!("{file}\",\n")), "guide.rs: {name}");
        assert!(
            name == "README.md" || links(&readme).contains(&name.as_str()),
            "README.md does not link {name}"
        );
        for (number, line) in prose(&page) {
            let inline = line.split("](").skip(1);
            for target in inline.map(|rest| rest.split(')').next().unwrap()) {
                assert!(
                    target.contains("://"),
                    "{name}:{number}: {target} has no definition at the end"
                );
            }
            let Some((label, _)) = line
                .strip_prefix('[')
                .and_then(|rest| rest.split_once("]: "))
            else {
                continue;
            };
            assert!(
                guide.contains(&format!("\"[{label}]: ")),
                "guide.rs does not define [{label}] of {name}"
            );
        }
    }
}

/// On the repository's page a name without a definition shows as plain text, and a definition that nobody uses is a lost link.
fn link_names_are_defined_and_used() {
    for (name, page) in all() {
        let prose = prose(&page);
        let label = |line: &str| Some(line.strip_prefix('[')?.split_once("]: ")?.0.to_owned());
        let defined: Vec<String> = prose.iter().filter_map(|(_, line)| label(line)).collect();
        for (number, line) in &prose {
            for used in line.split("][").skip(1) {
                let used = used.split(']').next().unwrap();
                assert!(
                    defined.iter().any(|label| label == used),
                    "{name}:{number}: [{used}] is not defined"
                );
            }
        }
        for label in defined {
            let uses = |(_, line): &(usize, &str)| {
                line.contains(&format!("[{label}]")) && !line.starts_with(&format!("[{label}]: "))
            };
            assert!(prose.iter().any(uses), "{name}: nothing uses [{label}]");
        }
    }
}

fn links_and_prose_are_found() {
    let page =
        "a [b](c.md#d), [e](https://f) and [g][h]\n```text\n[i](j.md)\n[k]: l\n```\n[h]: m.md\n";
    assert_eq!(links(page), ["c.md#d", "https://f", "m.md"]);
    let numbers: Vec<_> = prose(page).iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, [1, 6]);
}

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
    let page = text(NEEDS);
    let start = page.find(HEAD).expect(ADVICE);
    let length = page[start..].find("\n\n").unwrap() + 1;
    let table: String = requirements().iter().map(row).collect();
    let table = format!("{HEAD}{table}");
    if env::var_os("DOCKERLAUNCH_WRITE_README").is_some() {
        let (before, after) = (&page[..start], &page[start + length..]);
        fs::write(path(NEEDS), format!("{before}{table}{after}")).unwrap();
    } else {
        assert_eq!(&page[start..start + length], table, "{ADVICE}");
    }
}

/// The lines of the sample about a missing iptables.
fn the_sample_matches_the_log() {
    let page = text(NEEDS);
    let output = Command::new(program())
        .arg("--check")
        .env("PATH", "/none")
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let start = said.find("  MISSING     iptables").unwrap();
    let sample: Vec<_> = said[start..].lines().take(3).collect();
    for line in sample {
        assert!(page.contains(&format!("\n{line}\n")), "{line}");
    }
}
