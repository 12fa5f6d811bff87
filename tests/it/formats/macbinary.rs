//! MacBinary: the data fork is the image.

use std::fs;

use spindle::image::ImageErrorKind::Invalid;

use crate::support::image::{every_prefix, open, sector, tracks};
use crate::support::images::macbinary::{crc, macbinary};
use crate::support::inputs;
use spindle::disc::TrackMode::Mode1;

#[test]
fn the_data_fork_is_the_disc() {
    assert_eq!(crc(b"123456789"), 0x31C3);
    let disc = fs::read(inputs::path("libcdio/isofs-m1.bin")).unwrap();
    let opened = open("disc.img.bin", &macbinary(&disc, &[7; 300]), &[]).unwrap();
    assert_eq!(opened.containers[0].id, "macbinary");
    assert_eq!(opened.warnings, [""; 0]);
    assert_eq!(tracks(&opened), [(1, Mode1, -150, 0, 302)]);
    for lba in [301, 16, 0] {
        assert_eq!(sector(&opened, lba)[..], disc[lba as usize * 2352..][..2352]);
    }
}

#[test]
fn a_file_that_is_cut_off_gives_what_is_there() {
    let disc = fs::read(inputs::path("libcdio/isofs-m1.bin")).unwrap();
    let opened = open("x.bin", &macbinary(&disc, &[])[..128 + 100 * 2352], &[]).unwrap();
    assert!(opened.warnings[0].contains("cut off"), "{:?}", opened.warnings);
    assert_eq!(sector(&opened, 99)[..], disc[99 * 2352..][..2352]);
    every_prefix("x.bin", &macbinary(&[5; 700], &[6; 9]), &[]);
}

#[test]
fn what_only_looks_like_a_header_is_left_alone() {
    let is_container = |bytes: &[u8]| open("x.bin", bytes, &[]).is_ok_and(|opened| !opened.containers.is_empty());
    let good = macbinary(&[5; 4096], &[]);
    assert!(is_container(&good));
    for (at, value) in [(0, 1), (1, 0), (1, 64), (50, 1), (84, 1), (124, !good[124])] {
        let mut bad = good.clone();
        bad[at] = value;
        assert!(!is_container(&bad), "{value} at {at}");
    }
    let error = open("x.bin", &macbinary(&[], &[9; 4096]), &[]).map(|_| ()).unwrap_err();
    assert_eq!(error.kind(), Invalid, "{error}");
}
