//! Media of DVD and BD size, and a DVD-Video by dvdauthor.

use std::fs;
use std::path::Path;

use super::film::dvd_film;
use super::write;
use crate::support::host::run;

/// Units of 0.48 s in each chapter of each title.
pub const TITLES: [&[u32]; 2] = [&[10, 25, 15], &[20]];

/// The DVD-Video, as an ISO file; its files lie in the folder `video` too.
pub fn video(folder: &Path) -> String {
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let mut titles = String::new();
    for (title, chapters) in (1..).zip(TITLES) {
        let film = write(folder, &format!("title{title}.mpg"), &dvd_film(chapters.iter().sum()));
        let starts = chapters.iter().scan(0, |at, units| {
            let start = *at;
            *at += units * 48;
            Some(format!("{}:{:02}.{:02}", start / 6000, start / 100 % 60, start % 100))
        });
        let starts = starts.collect::<Vec<_>>().join(",");
        titles += &format!(
            "<titleset><titles><video format=\"pal\" aspect=\"4:3\"/><pgc>\
             <vob file=\"{film}\" chapters=\"{starts}\"/></pgc></titles></titleset>"
        );
    }
    let sheet = write(
        folder,
        "dvd.xml",
        format!("<dvdauthor><vmgm><menus><video format=\"pal\"/></menus></vmgm>{titles}</dvdauthor>").as_bytes(),
    );
    run("dvdauthor", &["-o", &path("video"), "-x", &sheet]);
    fs::create_dir_all(folder.join("video/AUDIO_TS")).unwrap();
    run("genisoimage", &["-quiet", "-dvd-video", "-V", "SPINDLE_DVD", "-o", &path("video.iso"), &path("video")]);
    path("video.iso")
}
