//! The order of the harness's rooms, tested on its source: a room uses only the rooms below it, and no file uses a file that uses
//! it, directly or through others. A parent that declares a child uses it, so a child takes nothing from its own mod.rs.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// From the top to the bottom.
const ROOMS: &[&str] = &[
    "commands",
    "bench",
    "scenarios",
    "checks",
    "engine",
    "machine",
    "disks",
    "image",
    "program",
    "report",
    "packages",
    "host",
];

/// In no room: they may use all of them.
const OUTSIDE: &[&str] = &["main.rs", "rooms.rs"];

type Module = Vec<String>;

/// Each file of the source, by its module.
struct Source(BTreeMap<Module, File>);

struct File {
    /// Below src/.
    path: String,
    text: String,
}

impl Source {
    fn read() -> Self {
        let mut files = BTreeMap::new();
        let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut open = vec![top.clone()];
        while let Some(folder) = open.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let place = entry.unwrap().path();
                if place.is_dir() {
                    open.push(place);
                    continue;
                }
                let path = place.strip_prefix(&top).unwrap().display().to_string();
                let text = fs::read_to_string(&place).unwrap();
                let module = path.trim_end_matches(".rs").split('/');
                let module = module.filter(|name| !matches!(*name, "mod" | "main"));
                let module = module.map(str::to_owned).collect();
                let other = files.insert(module, File { path, text });
                assert!(other.is_none(), "two files of one module: {place:?}");
            }
        }
        Self(files)
    }

    /// For each file, by its path, the files that it uses.
    fn uses(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let of = |module: &Module, file: &File| {
            let paths = paths(&tokens(&file.text));
            let declared = paths.iter().filter(|path| path.declares);
            let children = declared.map(|path| path.names[0].clone()).collect();
            let used = paths
                .iter()
                .filter_map(|path| self.resolve(module, &children, path));
            used.filter(|used| *used != file.path).collect()
        };
        let files = self.0.iter();
        files
            .map(|(module, file)| (file.path.as_str(), of(module, file)))
            .collect()
    }

    /// The file that a path leads to, if it is one of ours.
    fn resolve(&self, module: &Module, children: &BTreeSet<String>, path: &Used) -> Option<&str> {
        let mut base = module.clone();
        if path.in_tests {
            base.push("tests".into());
        }
        let mut names = path.names.as_slice();
        match names.first()?.as_str() {
            "crate" => base.clear(),
            "self" => {}
            "super" => {
                while names.first().is_some_and(|name| name == "super") {
                    base.pop();
                    names = &names[1..];
                }
                return self.longest(base, names);
            }
            name if children.contains(name) => return self.longest(module.clone(), names),
            _ => return None,
        }
        self.longest(base, &names[1..])
    }

    fn longest(&self, mut base: Module, names: &[String]) -> Option<&str> {
        for name in names {
            base.push(name.clone());
            if !self.0.contains_key(&base) {
                base.pop();
                break;
            }
        }
        self.0.get(&base).map(|file| file.path.as_str())
    }
}

/// A path in the source, or a child that a file declares.
struct Used {
    names: Vec<String>,
    declares: bool,
    in_tests: bool,
}

/// Names and signs, without comments, strings and characters.
fn tokens(text: &str) -> Vec<String> {
    let all: Vec<char> = text.chars().collect();
    let mut tokens: Vec<String> = Vec::new();
    let mut at = 0;
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    while at < all.len() {
        let rest = &all[at..];
        let starts = |sign: &str| sign.chars().eq(rest.iter().copied().take(sign.len()));
        if starts("//") {
            at += rest.iter().take_while(|c| **c != '\n').count();
        } else if starts("r#\"") {
            let raw: String = rest.iter().collect();
            at += raw[3..]
                .find("\"#")
                .map_or(raw.len(), |end| raw[..end + 5].chars().count());
        } else if starts("\"") {
            at += 1;
            while at < all.len() && all[at] != '"' {
                at += if all[at] == '\\' { 2 } else { 1 };
            }
            at += 1;
        } else if starts("'\\") {
            at += 3 + rest[3..].iter().take_while(|c| **c != '\'').count() + 1;
        } else if rest[0] == '\'' && rest.get(2) == Some(&'\'') {
            at += 3;
        } else if is_name(rest[0]) {
            let name: String = rest.iter().take_while(|c| is_name(**c)).collect();
            at += name.chars().count();
            tokens.push(name);
        } else if starts("::") {
            tokens.push("::".into());
            at += 2;
        } else {
            if !rest[0].is_whitespace() {
                tokens.push(rest[0].into());
            }
            at += 1;
        }
    }
    tokens
}

/// All paths: of `use`, of `mod NAME;`, and those in the code.
fn paths(tokens: &[String]) -> Vec<Used> {
    let mut used = Vec::new();
    let mut in_tests = false;
    let mut at = 0;
    let token = |at: usize| tokens.get(at).map_or("", String::as_str);
    while at < tokens.len() {
        match (token(at), token(at + 1), token(at + 2)) {
            ("mod", "tests", "{") => in_tests = true,
            ("mod", name, ";") => used.push(Used {
                names: vec![name.to_owned()],
                declares: true,
                in_tests,
            }),
            ("use", ..) => {
                let end = tokens[at..].iter().position(|token| token == ";");
                let end = at + end.expect("a use ends");
                for names in tree(&tokens[at + 1..end]) {
                    used.push(Used {
                        names,
                        declares: false,
                        in_tests,
                    });
                }
                at = end;
            }
            (_, "::", _) if at == 0 || !matches!(token(at - 1), "::" | "in") => {
                let mut names = vec![token(at).to_owned()];
                while token(at + 1) == "::" {
                    names.push(token(at + 2).to_owned());
                    at += 2;
                }
                used.push(Used {
                    names,
                    declares: false,
                    in_tests,
                });
            }
            ("in", "crate", "::") => at += 2, // pub(in crate::…): who may use it.
            _ => {}
        }
        at += 1;
    }
    used
}

/// The paths of a use: `a::{b, c::d}` is a::b and a::c::d.
fn tree(tokens: &[String]) -> Vec<Vec<String>> {
    let open = tokens.iter().position(|token| token == "{");
    let names = |tokens: &[String]| -> Vec<String> {
        let until = tokens.iter().take_while(|token| *token != "as");
        until.filter(|token| *token != "::").cloned().collect()
    };
    let Some(open) = open else {
        return vec![names(tokens)];
    };
    let before = names(&tokens[..open]);
    let inner = &tokens[open + 1..tokens.len() - 1];
    let (mut depth, mut start, mut all) = (0, 0, Vec::new());
    for at in 0..=inner.len() {
        let token = inner.get(at).map_or(",", String::as_str);
        match token {
            "{" => depth += 1,
            "}" => depth -= 1,
            "," if depth == 0 => {
                if start < at {
                    let parts = tree(&inner[start..at]);
                    all.extend(
                        parts
                            .into_iter()
                            .map(|part| [before.clone(), part].concat()),
                    );
                }
                start = at + 1;
            }
            _ => {}
        }
    }
    all
}

/// A circle that begins and ends with a file, if there is one.
fn circle<'a>(uses: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> Option<Vec<&'a str>> {
    fn follow<'a>(
        uses: &BTreeMap<&'a str, BTreeSet<&'a str>>,
        way: &mut Vec<&'a str>,
        done: &mut BTreeSet<&'a str>,
    ) -> bool {
        let last = *way.last().expect("it has a start");
        for next in &uses[last] {
            if let Some(start) = way.iter().position(|file| file == next) {
                way.drain(..start);
                way.push(next);
                return true;
            }
            way.push(next);
            if !done.contains(next) && follow(uses, way, done) {
                return true;
            }
            way.pop();
        }
        done.insert(last);
        false
    }
    let mut done = BTreeSet::new();
    uses.keys().find_map(|file| {
        let mut way = vec![*file];
        follow(uses, &mut way, &mut done).then_some(way)
    })
}

#[test]
fn a_room_uses_only_rooms_below_it() {
    let source = Source::read();
    let height = |file: &str| {
        let room = file.split('/').next().unwrap_or_default();
        let place = ROOMS.iter().position(|one| *one == room);
        place.unwrap_or_else(|| panic!("{file} is in no room of the table"))
    };
    for (file, used) in source.uses() {
        if OUTSIDE.contains(&file) {
            continue;
        }
        for used in used {
            assert!(
                !OUTSIDE.contains(&used) && height(file) <= height(used),
                "{file} uses {used}, which is above it"
            );
        }
    }
}

#[test]
fn no_files_use_each_other() {
    let source = Source::read();
    let circle = circle(&source.uses());
    assert!(circle.is_none(), "{}", circle.unwrap().join(" -> "));
}

/// The other tests would pass on a source of which they understand nothing.
#[test]
fn the_uses_of_a_file_are_found() {
    let source = Source::read();
    let uses = source.uses();
    let used = |file: &str| uses[file].iter().copied().collect::<Vec<_>>();
    assert_eq!(used("main.rs").len(), ROOMS.len() + 1);
    assert_eq!(used("engine/launch.rs"), ["machine/mod.rs"]);
    assert_eq!(
        used("scenarios/small/failures.rs"),
        [
            "checks/expect/mod.rs",
            "scenarios/small/builder.rs",
            "scenarios/small/endings.rs"
        ]
    );
    let text =
        "use super::{a::B, c}; mod d; fn e() { d::f(\"crate::x\"); crate::g::h() } // crate::i";
    let found = paths(&tokens(text));
    let found: Vec<String> = found.iter().map(|path| path.names.join("::")).collect();
    assert_eq!(
        found,
        ["super::a::B", "super::c", "d", "d::f", "crate::g::h"]
    );
}

/// A module is one file: NAME/mod.rs, with a rule at its head, where it has children.
#[test]
fn a_room_opens_with_its_rule() {
    let source = Source::read();
    let folders = ROOMS.iter().map(|room| format!("{room}/mod.rs"));
    for place in folders {
        let file = source.0.values().find(|file| file.path == place);
        let file = file.unwrap_or_else(|| panic!("there is no {place}"));
        let rule = file.text.lines().take_while(|line| line.starts_with("//!"));
        let rule: Vec<&str> = rule.collect();
        assert!(
            rule.join(" ").to_lowercase().contains("use"),
            "{place} has no rule"
        );
    }
}
