//! Nero.

use super::{Subchannel, check};
use crate::support::images::described::nrg::{Habit, Options, Stored, files};
use crate::support::images::described::source_disc::Detail::{Dpm, Indices, Isrc, Mcn, Pregaps, Structures};
use crate::support::images::described::source_disc::{Mode, SourceDisc};

#[test]
fn disc_at_once() {
    for disc in [SourceDisc::mixed().flagged(), SourceDisc::sessions(), SourceDisc::forms()] {
        let disc = disc.without(&[Dpm]);
        for old in [false, true] {
            for stored in [Stored::Raw, Stored::UserData, Stored::WithoutHeader] {
                let options = Options { old, stored, ..Options::default() };
                check("nrg", &format!("{options:?}"), &disc, &files(&disc, options), Subchannel::None);
            }
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
    let xa = [(1, Mode::Mixed, 150, 20), (1, Mode::Mixed, 150, 12), (2, Mode::Mixed, 150, 12)];
    for disc in [&one, &two, &xa].map(|tracks| SourceDisc::cd(tracks)) {
        let disc = disc.without(&[Dpm, Indices, Isrc, Mcn, Pregaps]);
        for old in [false, true] {
            for stored in [Stored::Raw, Stored::UserData, Stored::WithoutHeader] {
                let options = Options { old, track_at_once: true, stored, ..Options::default() };
                check("nrg", &format!("{options:?}"), &disc, &files(&disc, options), Subchannel::None);
            }
        }
    }
}

#[test]
fn what_other_programs_write() {
    for disc in [SourceDisc::mixed(), SourceDisc::sessions(), SourceDisc::forms()].map(|disc| disc.without(&[Dpm])) {
        for habit in [Habit::OtherSound, Habit::CrossedFooter, Habit::MoreChunks, Habit::MagicIso] {
            for old in [false, true] {
                let options = Options { old, habit, ..Options::default() };
                check("nrg", &format!("{options:?}"), &disc, &files(&disc, options), Subchannel::None);
            }
        }
    }
}

#[test]
fn the_old_list_of_tracks() {
    let tracks = [(1, Mode::Mode1, 150, 20), (1, Mode::Audio, 150, 24), (1, Mode::Audio, 150, 8)];
    let disc = SourceDisc::cd(&tracks).without(&[Dpm, Indices, Isrc, Mcn, Pregaps]);
    for stored in [Stored::Raw, Stored::UserData] {
        let options = Options { old: true, track_at_once: true, stored, habit: Habit::Tinf, ..Options::default() };
        check("nrg", &format!("{options:?}"), &disc, &files(&disc, options), Subchannel::None);
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
