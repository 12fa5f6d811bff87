//! TOC files of X-CD-Roast.

use spindle::disc::TrackMode::{Audio, Mode1};
use spindle::disc::cdtext::{Kind, decode};
use spindle::image::ImageErrorKind;

use crate::support::image::{blocks, every_prefix, open, sector, tracks};

const TOC: &str = "# X-CD-Roast\ncdtitle = \"My Disc\"\ncdsize = 20\ndiscid = \"0200BA01\"\n\ntrack = 1\ntype = 0\nsize = 160\n\
                   startsec = 0\nfile = \"one.iso\"\n\ntrack = 2\ntype = 1\nsize = 4\nstartsec = 160\nfile = \"two.raw\"\n";

#[test]
fn a_data_file_that_is_short_leaves_the_next_pre_gap_empty() {
    let data: Vec<u8> = (0..8_u8).flat_map(|n| vec![n; 2048]).collect();
    let sound: Vec<u8> = [0x12, 0x34].repeat(4 * 1176);
    let about = b"file = \"two.raw\"\ntrack = 2 of 2\ntitle = \"Second\"\nartist = \"Somebody\"\npreemp = 1\ncopyperm = 1\ncd_artist = \"All\"\n";
    let opened =
        open("my.toc", TOC.as_bytes(), &[("one.iso", &data), ("two.raw", &sound), ("two.xinf", about)]).unwrap();
    assert_eq!(opened.format.id, "xcdroast");
    assert_eq!(tracks(&opened), [(1, Mode1, -150, 0, 8), (2, Audio, 8, 160, 164)]);
    assert_eq!(blocks(&opened, 7, 1), [7; 2048]);
    // The high byte comes first in files without a header.
    assert_eq!(sector(&opened, 163)[..4], [0x34, 0x12, 0x34, 0x12]);
    assert_eq!(opened.disc.tracks().nth(1).unwrap().control.0, 1 | 2);
    let texts = &decode(&opened.disc.sessions[0].cd_text)[0].texts;
    let text = |kind, track| texts[&(kind, track)].as_str();
    assert_eq!((text(Kind::Title, 0), text(Kind::Title, 2)), ("My Disc", "Second"));
    assert_eq!((text(Kind::Performer, 0), text(Kind::Performer, 2)), ("All", "Somebody"));
}

#[test]
fn what_no_toc_can_mean_is_refused() {
    let data = vec![1; 4096];
    for (old, new, kind) in [
        ("track = 1\n", "track = x\n", ImageErrorKind::Invalid),
        ("track = 1\n", "track = 9\n", ImageErrorKind::Invalid),
        ("size = 4", "size = many", ImageErrorKind::Invalid),
        ("two.raw", "three.raw", ImageErrorKind::Missing),
        ("two.raw", "../two.raw", ImageErrorKind::Outside),
    ] {
        let toc = TOC.replacen(old, new, 1);
        let files: &[(&str, &[u8])] =
            if new.starts_with("..") { &[("one.iso", &data)] } else { &[("one.iso", &data), ("two.raw", &data)] };
        let error = open("my.toc", toc.as_bytes(), files).map(|_| ()).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
    }
    every_prefix("my.toc", TOC.as_bytes(), &[("one.iso", &data), ("two.raw", &data)]);
}
