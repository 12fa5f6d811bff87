//! The bar that long pieces of work show on a terminal, and nowhere else.

mod tools {
    use std::fs::File;
    use std::process::{Command, Stdio};

    use tempfile::TempDir;

    use crate::cli::{inside, spindle, stderr};

    const SPINDLE: &str = env!("CARGO_BIN_EXE_spindle");

    /// `script`, of the package bsdutils, is the terminal. What runs the tests need not have one, and no TERM.
    #[test]
    fn a_terminal_shows_how_far_it_is_how_fast_and_how_long_it_will_take() {
        let folder = TempDir::new().unwrap();
        let (image, out) = (inside(&folder, "disc.iso"), inside(&folder, "out.iso"));
        File::create(&image).unwrap().set_len(200 << 20).unwrap();
        let wrong = "0".repeat(64);
        for (name, verb) in [
            ("verify", format!("verify --sha256 {wrong} '{image}'")),
            ("convert", format!("convert '{image}' '{out}'")),
        ] {
            let line = format!("'{SPINDLE}' {verb}");
            let mut script = Command::new("script");
            script.args(["--quiet", "--command", &line, "/dev/null"]).env("TERM", "xterm").stdin(Stdio::null());
            let shown = script.output().unwrap_or_else(|error| panic!("script: {error}"));
            let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
            for part in [name, "% [", " MiB/", "MiB/s, ", " left"] {
                assert!(shown.contains(part), "{name}, {part:?}: {:?}", shown.chars().take(500).collect::<String>());
            }
        }
        // A log has one line.
        let logged = stderr(&spindle(&["verify", "--sha256", &wrong, &image]));
        assert_eq!(logged.lines().count(), 1, "{logged}");
    }
}
