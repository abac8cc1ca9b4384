//! dockerlaunch's version, as its Cargo.toml has it: an image has the same one.

pub fn version() -> &'static str {
    let mut lines = include_str!("../../../Cargo.toml").lines();
    let version = lines.find_map(|line| line.strip_prefix("version = \""));
    version.map_or("", |text| text.trim_end_matches('"'))
}
