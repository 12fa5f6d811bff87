//! Easy CD Creator.

use super::{Subchannel, check};
use crate::support::images::described::cif::files;
use crate::support::images::described::source_disc::Detail::{CdText, Dpm, Indices, Mcn, Pregaps};
use crate::support::images::described::source_disc::{Mode, SourceDisc};

fn disc(tracks: &[(u8, Mode, u32, u32)]) -> SourceDisc {
    SourceDisc::cd(tracks).without(&[CdText, Dpm, Indices, Mcn, Pregaps])
}

#[test]
fn one_session_and_two() {
    // No track is shorter than four seconds.
    let mixed = [(1, Mode::Mode1, 150, 300), (1, Mode::Audio, 150, 300), (1, Mode::Audio, 0, 301)];
    let sessions = [(1, Mode::Audio, 150, 310), (1, Mode::Audio, 0, 300), (2, Mode::Form1, 150, 305)];
    for disc in [&mixed, &sessions].map(|tracks| disc(tracks)) {
        check("cif", &format!("{} sessions", disc.by_session().len()), &disc, &files(&disc, false), Subchannel::None);
    }
}

#[test]
fn both_forms() {
    let disc = disc(&[(1, Mode::Mixed, 150, 300), (1, Mode::Form2, 0, 301), (1, Mode::Audio, 150, 300)]);
    check("cif", "both forms", &disc, &files(&disc, false), Subchannel::None);
}

#[test]
fn a_track_that_is_said_to_be_shorter_than_any_can_be() {
    let disc = disc(&[(1, Mode::Mode1, 150, 300), (1, Mode::Audio, 150, 300)]);
    check("cif", "short", &disc, &files(&disc, true), Subchannel::None);
}
