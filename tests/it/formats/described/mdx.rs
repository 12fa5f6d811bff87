//! DAEMON Tools.

use super::{Subchannel, check};
use crate::support::images::described::mdx::{Options, Stored, Subchannel as Kept, files};
use crate::support::images::described::source_disc::Detail::{Indices, Isrc, Mcn, Pregaps};
use crate::support::images::described::source_disc::SourceDisc;
use crate::support::images::described::source_sector::RAW;

fn discs() -> [SourceDisc; 2] {
    [SourceDisc::mixed(), SourceDisc::sessions()].map(|disc| {
        let mut disc = disc.without(&[Indices, Isrc, Mcn, Pregaps]);
        // Silence, which is compressed to nothing.
        let audio = disc.tracks.iter_mut().find(|track| track.number == 2).unwrap();
        audio.sectors[16..].fill([0; RAW]);
        disc
    })
}

#[test]
fn one_file_or_two_plain_compressed_and_under_a_password() {
    for disc in discs() {
        for two_files in [false, true] {
            for (compressed, password) in [(false, None), (true, None), (false, Some("secret")), (true, Some("secret"))]
            {
                let options = Options { two_files, minor: 1, compressed, password, ..Options::default() };
                check("mdx", &format!("{options:?}"), &disc, &files(&disc, options), Subchannel::None);
            }
        }
    }
}

#[test]
fn every_part_of_sectors_and_every_subchannel() {
    for disc in discs() {
        for stored in [Stored::Raw, Stored::UserData, Stored::WithHeader] {
            for (kept, subchannel) in
                [(Kept::None, Subchannel::None), (Kept::Q16, Subchannel::Q), (Kept::Pw, Subchannel::All)]
            {
                for minor in [0, 1] {
                    let compressed = minor == 1;
                    let options = Options { stored, subchannel: kept, minor, compressed, ..Options::default() };
                    check("mdx", &format!("{options:?}"), &disc, &files(&disc, options), subchannel);
                }
            }
        }
    }
}

#[test]
fn stored_pregaps() {
    let disc = SourceDisc::mixed().without(&[Indices, Isrc, Mcn]);
    let options = Options { pregaps: true, ..Options::default() };
    check("mdx", "pre-gaps", &disc, &files(&disc, options), Subchannel::None);
}

#[test]
fn dvd() {
    let disc = SourceDisc::dvd(30);
    for two_files in [false, true] {
        let options = Options { two_files, compressed: true, ..Options::default() };
        check("mdx", &format!("DVD, {options:?}"), &disc, &files(&disc, options), Subchannel::None);
    }
}
