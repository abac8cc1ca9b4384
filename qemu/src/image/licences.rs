//! Licences for the bill of materials: SPDX's identifier if Debian's name has one, otherwise the name itself.

use serde_json::{Value, json};
use spdx::identifiers::LICENSES;

/// Debian's names that are spelled differently; GNU's families are below.
const OTHERWISE: &[(&str, &str)] = &[
    ("Apache-2", "Apache-2.0"),
    ("Boost", "BSL-1.0"),
    ("EDL-1.0", "BSD-3-Clause"),
    ("Expat", "MIT"),
    ("OpenLDAP-2.8", "OLDAP-2.8"),
];

/// `GPL-2+` is GPL-2.0-or-later.
const GNU: &[&str] = &["AGPL-", "GFDL-", "GPL-", "LGPL-"];

/// One of a package's licences.
pub fn named(name: &str) -> Value {
    match identifier(name) {
        Some(id) => json!({ "license": { "id": id } }),
        None => json!({ "license": { "name": name } }),
    }
}

/// The copyright file of a package that names no licences.
pub fn copyright(package: &str, text: &str) -> Value {
    let name = format!("the copyright file of {package}");
    json!({ "license": { "name": name, "text": { "contentType": "text/plain", "content": text } } })
}

/// The form that Cargo uses, which is SPDX's.
pub fn expression(text: &str) -> Value {
    json!({ "expression": text })
}

fn identifier(name: &str) -> Option<&'static str> {
    let gnu = GNU.iter().any(|family| name.starts_with(family));
    let otherwise = OTHERWISE.iter().find(|(debian, _)| *debian == name);
    let spelled = match otherwise {
        Some((_, id)) => (*id).to_owned(),
        None if gnu => gnu_identifier(name),
        None => name.to_owned(),
    };
    let same = |id: &&str| id.eq_ignore_ascii_case(&spelled);
    LICENSES.iter().map(|license| license.name).find(same)
}

fn gnu_identifier(name: &str) -> String {
    let (version, which) = match name.strip_suffix('+') {
        Some(version) => (version, "or-later"),
        None => (name, "only"),
    };
    let minor = if version.contains('.') { "" } else { ".0" };
    format!("{version}{minor}-{which}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_debian_become_identifiers() {
        for (name, id) in OTHERWISE {
            assert_eq!(identifier(name), Some(*id));
        }
        assert_eq!(identifier("GPL-2"), Some("GPL-2.0-only"));
        assert_eq!(identifier("LGPL-2.1+"), Some("LGPL-2.1-or-later"));
        assert_eq!(identifier("GPL-2.0+"), Some("GPL-2.0-or-later"));
        assert_eq!(identifier("GFDL-1.3+"), Some("GFDL-1.3-or-later"));
        assert_eq!(identifier("BSD-3-clause"), Some("BSD-3-Clause"));
        assert_eq!(identifier("GPL"), None);
        assert_eq!(identifier("GPL-2+ with Bison exception"), None);
        assert_eq!(named("custom"), json!({ "license": { "name": "custom" } }));
    }
}
