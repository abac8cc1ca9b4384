//! The guide's pages, whose commands are tested word for word: a command is found by its beginning, in a block of code.

pub const DOCKER_IN_DOCKER: &str = include_str!("../../../src/guide/docker-in-docker.md");

/// The lines of a page's blocks of code, with a blank line at the end of each block.
pub(crate) fn code(page: &str) -> impl Iterator<Item = &str> {
    let mut inside = false;
    page.lines().filter_map(move |line| {
        let fence = line.starts_with("```");
        let was_inside = inside;
        inside ^= fence;
        match (fence, was_inside) {
            (false, true) => Some(line),
            (true, true) => Some(""),
            _ => None,
        }
    })
}

/// The commands of a page that begin like this, each as one line.
pub fn commands(page: &str, beginning: &str) -> Vec<String> {
    let lines: Vec<&str> = code(page).collect();
    let whole = lines.join("\n").replace("\\\n", "");
    let wanted = whole.lines().filter(|line| line.starts_with(beginning));
    wanted.map(str::to_owned).collect()
}
