//! A Video CD, by vcdimager: the same disc as a CUE sheet and as a Nero file.

use std::path::Path;

use super::film::film;
use super::write;
use crate::support::host::run;

/// Writes both images; gives the paths of sheet and Nero file.
pub fn images(folder: &Path) -> [String; 2] {
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let film = write(folder, "film.mpg", &film());
    run("vcdxgen", &["-q", "-t", "vcd2", "-o", &path("disc.xml"), &film]);
    let build = |arguments: &[&str]| {
        run("vcdxbuild", &[&["-q", "-T", "1995-01-01 00:00:00"], arguments, &[&path("disc.xml")]].concat());
    };
    build(&["-i", "nrg", "-o", &format!("nrg={}", path("disc.nrg"))]);
    build(&["-c", &path("disc.cue"), "-b", &path("disc.bin")]);
    [path("disc.cue"), path("disc.nrg")]
}
