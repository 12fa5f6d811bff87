//! `readcd -clone`.

use super::{Subchannel, check};
use crate::support::images::described::readcd::files;
use crate::support::images::described::source_disc::Detail::{CdText, Dpm, FirstPregap, Indices, Isrc, Mcn};
use crate::support::images::described::source_disc::{Mode, SourceDisc};

#[test]
fn with_and_without_the_last_byte() {
    let tracks = [(1, Mode::Mode1, 150, 20), (1, Mode::Audio, 150, 24), (1, Mode::Audio, 0, 16)];
    for disc in [SourceDisc::cd(&tracks).flagged(), SourceDisc::forms()] {
        let disc = disc.without(&[CdText, Dpm, Indices, Isrc, Mcn]);
        for padded in [false, true] {
            check("readcd", &format!("padded: {padded}"), &disc, &files(&disc, padded), Subchannel::All);
        }
    }
}

#[test]
fn two_sessions() {
    let tracks = [(1, Mode::Audio, 150, 20), (1, Mode::Audio, 0, 16), (2, Mode::Mixed, 150, 20)];
    let disc = SourceDisc::cd(&tracks).without(&[CdText, Dpm, FirstPregap, Indices, Isrc, Mcn]);
    check("readcd", "two sessions", &disc, &files(&disc, false), Subchannel::All);
}
