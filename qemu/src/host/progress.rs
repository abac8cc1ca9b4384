//! What the user sees while something takes long: a bar on a terminal, plain lines elsewhere.

use std::{
    io::{IsTerminal, stderr},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};

/// One thing that takes a while. All of it goes to stderr: stdout is for results.
pub struct Step {
    bar: Option<ProgressBar>,
    started: Instant,
}

impl Step {
    /// A step whose parts can be counted.
    pub fn counted(what: &str, total: u64) -> Self {
        Self::new(what, ProgressBar::new(total), "{msg} {wide_bar} {percent}%")
    }

    /// A step of bytes.
    pub fn bytes(what: &str, total: u64) -> Self {
        Self::new(
            what,
            ProgressBar::new(total),
            "{msg} {wide_bar} {bytes} of {total_bytes}",
        )
    }

    /// A step of which only the time is known.
    pub fn spinner(what: &str) -> Self {
        Self::new(
            what,
            ProgressBar::new_spinner(),
            "{spinner} {msg} {elapsed}",
        )
    }

    fn new(what: &str, bar: ProgressBar, template: &str) -> Self {
        let started = Instant::now();
        if !stderr().is_terminal() {
            eprintln!("{what}");
            return Self { bar: None, started };
        }
        bar.set_style(ProgressStyle::with_template(template).expect("a constant that tests draw"));
        bar.set_message(what.to_owned());
        bar.enable_steady_tick(Duration::from_millis(100));
        Self {
            bar: Some(bar),
            started,
        }
    }

    pub fn set(&self, position: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(position);
        }
    }

    /// Replaces the bar by one line that stays.
    pub fn done(self, what: &str) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        eprintln!("{what} ({:.1} s)", self.started.elapsed().as_secs_f64());
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use indicatif::ProgressStyle;

    #[test]
    fn the_templates_are_valid() {
        for template in [
            "{msg} {wide_bar} {percent}%",
            "{msg} {wide_bar} {bytes} of {total_bytes}",
            "{spinner} {msg} {elapsed}",
        ] {
            ProgressStyle::with_template(template).unwrap();
        }
    }
}
