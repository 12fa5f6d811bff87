//! Nero.

use super::{Subchannel, check};
use crate::support::images::described::nrg::{Options, files};
use crate::support::images::described::source_disc::Detail::{Dpm, Indices, Isrc, Mcn, Pregaps, Structures};
use crate::support::images::described::source_disc::{Mode, SourceDisc};

#[test]
fn disc_at_once() {
    for disc in [SourceDisc::mixed(), SourceDisc::sessions()].map(|disc| disc.without(&[Dpm])) {
        for old in [false, true] {
            let options = Options { old, ..Options::default() };
            check("nrg", &format!("{options:?}"), &disc, &files(&disc, options), Subchannel::None);
            let options = Options { old, user_data: true, ..Options::default() };
            check("nrg", &format!("{options:?}"), &disc, &files(&disc, options), Subchannel::None);
            let options = Options { old, subchannel: true, ..Options::default() };
            check("nrg", &format!("{options:?}"), &disc, &files(&disc, options), Subchannel::All);
            let silent = disc.clone().without(&[Pregaps]);
            let options = Options { old, without_pregaps: true, ..Options::default() };
            check("nrg", &format!("{options:?}"), &silent, &files(&silent, options), Subchannel::None);
        }
    }
}

#[test]
fn track_at_once() {
    let one = [(1, Mode::Mode1, 150, 20), (1, Mode::Audio, 150, 24), (1, Mode::Audio, 150, 8)];
    let two = [(1, Mode::Mode1, 150, 20), (1, Mode::Audio, 150, 24), (2, Mode::Form1, 150, 12)];
    for disc in [&one, &two].map(|tracks| SourceDisc::cd(tracks)) {
        let disc = disc.without(&[Dpm, Indices, Isrc, Mcn, Pregaps]);
        for old in [false, true] {
            for user_data in [false, true] {
                let options = Options { old, track_at_once: true, user_data, ..Options::default() };
                check("nrg", &format!("{options:?}"), &disc, &files(&disc, options), Subchannel::None);
            }
        }
    }
}

#[test]
fn dvd() {
    let disc = SourceDisc::dvd(30).without(&[Dpm, Structures]);
    for track_at_once in [false, true] {
        let options = Options { track_at_once, ..Options::default() };
        check("nrg", &format!("DVD, {options:?}"), &disc, &files(&disc, options), Subchannel::None);
    }
}
