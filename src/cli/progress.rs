//! How far a long piece of work is: a bar on standard error, where that is a terminal.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar over a number of bytes, with rate and time left. Cheap to clone and to move to other threads.
#[derive(Debug, Clone)]
pub struct Progress(ProgressBar);

impl Progress {
    /// A bar for `what`, of `bytes`.
    #[must_use]
    pub fn new(what: &str, bytes: u64) -> Self {
        let style = "{prefix} {percent:>3}% [{bar:30}] {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left";
        let bar = ProgressBar::with_draw_target(Some(bytes), target());
        // The template is a constant: it is right, or the first run shows that it is not.
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_prefix(what.to_owned());
        Self(bar)
    }

    /// Sets how many bytes there are in all.
    pub fn set_bytes(&self, bytes: u64) {
        self.0.set_length(bytes);
    }

    /// So many bytes more are done.
    pub fn add(&self, bytes: u64) {
        self.0.inc(bytes);
    }

    /// Takes the bar off the screen.
    pub fn clear(&self) {
        self.0.finish_and_clear();
    }
}

fn target() -> ProgressDrawTarget {
    if std::io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() }
}
