//! DAEMON Tools.

use super::{Subchannel, check};
use crate::support::images::described::mdx::{Options, Stored, Subchannel as Kept, files};
use crate::support::images::described::source_disc::Detail::{Indices, Isrc, Mcn, Pregaps};
use crate::support::images::described::source_disc::SourceDisc;
use crate::support::images::described::source_sector::RAW;

fn discs() -> [SourceDisc; 2] {
    [SourceDisc::mixed().flagged(), SourceDisc::sessions()].map(|disc| {
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
fn both_forms() {
    let disc = SourceDisc::forms().without(&[Indices, Isrc, Mcn]);
    for stored in [Stored::Raw, Stored::UserData, Stored::WithHeader] {
        for (subchannel, expected) in [(Kept::None, Subchannel::None), (Kept::Pw, Subchannel::All)] {
            for password in [None, Some("secret")] {
                let options = Options { stored, subchannel, minor: 1, password, ..Options::default() };
                check("mdx", &format!("{options:?}"), &disc, &files(&disc, options), expected);
                let options = Options { compressed: true, ..options };
                check("mdx", &format!("{options:?}"), &disc, &files(&disc, options), expected);
            }
        }
    }
}

#[test]
fn a_subchannel_without_p_and_q() {
    for disc in discs() {
        let options = Options { subchannel: Kept::Rw, minor: 1, ..Options::default() };
        check("mdx", "R to W", &disc, &files(&disc, options), Subchannel::Rw);
    }
}

#[test]
fn several_data_files() {
    let dvd = SourceDisc::dvd(30);
    for disc in discs().iter().chain([&dvd]) {
        for password in [None, Some("secret")] {
            for compressed in [false, true] {
                let options = Options { two_files: true, split: true, compressed, password, ..Options::default() };
                check("mdx", &format!("{options:?}"), disc, &files(disc, options), Subchannel::None);
            }
        }
    }
}

#[test]
fn encrypted_without_a_password() {
    for disc in discs() {
        for (two_files, compressed) in [(false, false), (false, true), (true, true)] {
            let options = Options { two_files, compressed, of_salt: true, minor: 1, ..Options::default() };
            check("mdx", &format!("{options:?}"), &disc, &files(&disc, options), Subchannel::None);
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
