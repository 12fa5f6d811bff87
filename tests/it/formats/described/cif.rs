//! Easy CD Creator.

use super::{Subchannel, check};
use crate::support::images::described::cif::files;
use crate::support::images::described::source_disc::Detail::{CdText, Dpm, Indices, Mcn, Pregaps};
use crate::support::images::described::source_disc::{Mode, SourceDisc};

#[test]
fn one_session_and_two() {
    // No track is shorter than four seconds.
    let mixed = [(1, Mode::Mode1, 150, 300), (1, Mode::Audio, 150, 300), (1, Mode::Audio, 0, 301)];
    let sessions = [(1, Mode::Audio, 150, 310), (1, Mode::Audio, 0, 300), (2, Mode::Form1, 150, 305)];
    for disc in [&mixed, &sessions].map(|tracks| SourceDisc::cd(tracks)) {
        let disc = disc.without(&[CdText, Dpm, Indices, Mcn, Pregaps]);
        check("cif", &format!("{} sessions", disc.by_session().len()), &disc, &files(&disc), Subchannel::None);
    }
}
