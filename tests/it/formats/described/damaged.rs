//! Descriptors in which every byte in turn is another one: read or refused, but nothing worse.

use super::{Files, open};
use crate::support::image::probe;
use crate::support::images::described::source_disc::{Mode, SourceDisc};
use crate::support::images::described::{bwt, c2d, ccd, cdi, cif, mdx, nrg, readcd, xcdroast};

/// `head` and `tail`: the bytes at both ends of the file that describe; data lies between them.
#[track_caller]
fn damaged(files: &Files, head: usize, tail: usize) {
    assert!(open(files).is_ok());
    let mut files = files.clone();
    let len = files[0].1.len();
    for at in (0..len.min(head)).chain(len.saturating_sub(tail).max(head)..len) {
        let right = files[0].1[at];
        for wrong in [0xFF, right.wrapping_add(1)] {
            files[0].1[at] = wrong;
            if let Ok(opened) = open(&files) {
                probe(&opened);
            }
        }
        files[0].1[at] = right;
    }
}

#[test]
fn text() {
    let disc = SourceDisc::mixed();
    let ccd = ccd::Options { subchannel: true, ..ccd::Options::default() };
    damaged(&ccd::files(&disc, ccd), 1500, 500);
    let xcdroast = xcdroast::Options { described: true, ..xcdroast::Options::default() };
    damaged(&xcdroast::files(&disc, xcdroast), 500, 0);
}

#[test]
fn beside_their_data() {
    let bwt = bwt::Options { subchannel: true, ..bwt::Options::default() };
    damaged(&bwt::files(&SourceDisc::mixed(), bwt), 1000, 0);
    let tracks = [(1, Mode::Mode1, 150, 20), (1, Mode::Audio, 150, 24)];
    damaged(&readcd::files(&SourceDisc::cd(&tracks), true), 100, 0);
}

#[test]
fn at_the_end() {
    let disc = SourceDisc::sessions();
    for old in [false, true] {
        let options = nrg::Options { old, without_pregaps: true, ..nrg::Options::default() };
        damaged(&nrg::files(&disc, options), 0, 600);
        damaged(&nrg::files(&disc, nrg::Options { track_at_once: true, ..options }), 0, 300);
    }
    for version in [cdi::Version::V2, cdi::Version::V3, cdi::Version::V3Long, cdi::Version::V35] {
        damaged(&cdi::files(&SourceDisc::mixed(), version, cdi::Stored::UserData), 0, 700);
    }
}

#[test]
fn at_both_ends() {
    damaged(&cif::files(&SourceDisc::cd(&[(1, Mode::Mode1, 150, 300)]), false), 500, 100);
    let adaptec = "Adaptec CeQuadrat VirtualCD File";
    damaged(&c2d::files(&SourceDisc::mixed(), adaptec, c2d::Stored::UserData), 700, 100);
    let options = mdx::Options { minor: 1, compressed: true, ..mdx::Options::default() };
    damaged(&mdx::files(&SourceDisc::dvd(8), options), 64, 200);
}
