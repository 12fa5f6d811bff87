//! CloneCD.

use super::{Subchannel, check};
use crate::support::images::described::ccd::{Options, Spelling, files};
use crate::support::images::described::source_disc::Detail::{Dpm, FirstPregap, Indices, Isrc};
use crate::support::images::described::source_disc::{Mode, SourceDisc};

fn discs() -> [SourceDisc; 3] {
    [SourceDisc::mixed().flagged(), SourceDisc::sessions(), SourceDisc::forms()]
        .map(|disc| disc.without(&[Dpm, FirstPregap]))
}

#[test]
fn with_and_without_subchannel_and_scrambled() {
    for disc in discs() {
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

#[test]
fn the_same_said_in_other_ways() {
    for disc in discs() {
        for spelling in [Spelling::Full, Spelling::Hexadecimal] {
            for wrong_modes in [false, true] {
                let options = Options { spelling, wrong_modes, ..Options::default() };
                check("ccd", &format!("{options:?}"), &disc, &files(&disc, options), Subchannel::None);
            }
        }
    }
}

#[test]
fn a_subchannel_of_another_length_is_not_read() {
    let disc = SourceDisc::mixed().without(&[Dpm]);
    let mut files = files(&disc, Options { subchannel: true, ..Options::default() });
    files[2].1.truncate(96 * 5 + 1);
    check("ccd", "a short subchannel", &disc, &files, Subchannel::None);
}

#[test]
fn a_last_track_99() {
    for disc in discs() {
        let mut disc = disc;
        disc.tracks.last_mut().unwrap().number = 99;
        for spelling in [Spelling::Usual, Spelling::Full] {
            let options = Options { spelling, subchannel: true, ..Options::default() };
            check("ccd", &format!("99, {options:?}"), &disc, &files(&disc, options), Subchannel::All);
        }
    }
}

#[test]
fn sound_hidden_before_the_first_track() {
    let disc = SourceDisc::cd(&[(1, Mode::Audio, 182, 20), (1, Mode::Audio, 8, 24)]).without(&[Dpm, FirstPregap]);
    let options = Options { subchannel: true, ..Options::default() };
    check("ccd", "hidden sound", &disc, &files(&disc, options), Subchannel::All);
}

#[test]
fn a_pre_gap_of_two_seconds_within_a_session_is_stored() {
    let tracks = [(1, Mode::Mode1, 150, 20), (1, Mode::Audio, 150, 24)];
    let disc = SourceDisc::cd(&tracks).without(&[Dpm, FirstPregap]);
    check("ccd", "two seconds", &disc, &files(&disc, Options::default()), Subchannel::None);
}
