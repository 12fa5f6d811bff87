//! CloneCD.

use super::{Subchannel, check};
use crate::support::images::described::ccd::{Options, files};
use crate::support::images::described::source_disc::Detail::{Dpm, FirstPregap, Indices, Isrc};
use crate::support::images::described::source_disc::{Mode, SourceDisc};

#[test]
fn with_and_without_subchannel_and_scrambled() {
    for disc in [SourceDisc::mixed(), SourceDisc::sessions()].map(|disc| disc.without(&[Dpm, FirstPregap])) {
        check("ccd", "plain", &disc, &files(&disc, Options::default()), Subchannel::None);
        let subchannel = Options { subchannel: true, ..Options::default() };
        check("ccd", "subchannel", &disc, &files(&disc, subchannel), Subchannel::All);
        let scrambled = Options { scrambled: true, ..Options::default() };
        check("ccd", "scrambled", &disc, &files(&disc, scrambled), Subchannel::None);
    }
}

#[test]
fn version_2_tells_modes_by_the_sectors() {
    let tracks = [(1, Mode::Mode1, 150, 20), (1, Mode::Audio, 0, 24), (2, Mode::Form1, 150, 8)];
    let disc = SourceDisc::cd(&tracks).without(&[Dpm, Indices, Isrc]);
    let old = Options { old: true, ..Options::default() };
    check("ccd", "version 2", &disc, &files(&disc, old), Subchannel::None);
}
