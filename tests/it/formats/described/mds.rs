//! Alcohol 120% and GameJack.

use super::{Subchannel, check};
use crate::support::images::described::mds::{Options, files};
use crate::support::images::described::source_disc::Detail::{CdText, Indices, Isrc, Mcn, Pregaps};
use crate::support::images::described::source_disc::SourceDisc;

#[test]
fn cd() {
    for disc in [SourceDisc::mixed().flagged(), SourceDisc::sessions(), SourceDisc::forms()] {
        let disc = disc.without(&[CdText, Indices, Isrc, Mcn, Pregaps]);
        check("mds", "raw", &disc, &files(&disc, Options::default()), Subchannel::None);
        let user_data = Options { user_data: true, ..Options::default() };
        check("mds", "2048", &disc, &files(&disc, user_data), Subchannel::None);
        let subchannel = Options { subchannel: true, ..Options::default() };
        check("mds", "subchannel", &disc, &files(&disc, subchannel), Subchannel::All);
        let gamejack = Options { gamejack: true, ..Options::default() };
        check("mds", "GameJack", &disc, &files(&disc, gamejack), Subchannel::None);
    }
}

#[test]
fn dvd() {
    let disc = SourceDisc::dvd(30);
    for split in [None, Some(17)] {
        let files = files(&disc, Options { split, ..Options::default() });
        check("mds", &format!("DVD, {split:?}"), &disc, &files, Subchannel::None);
    }
}
