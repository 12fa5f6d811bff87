//! X-CD-Roast.

use spindle::disc::cdtext::{Kind, decode};

use super::{Subchannel, check, open};
use crate::support::images::described::source_disc::Detail::{CdText, Dpm, Indices, Isrc, Mcn, Pregaps};
use crate::support::images::described::source_disc::{Mode, SourceDisc};
use crate::support::images::described::xcdroast::{Options, files};

#[test]
fn raw_sound_and_wave() {
    let tracks = [(1, Mode::Mode1, 150, 20), (1, Mode::Audio, 152, 24), (1, Mode::Audio, 0, 16)];
    let disc = SourceDisc::cd(&tracks).without(&[CdText, Dpm, Indices, Isrc, Mcn, Pregaps]);
    for wave in [false, true] {
        let options = Options { wave, ..Options::default() };
        check("xcdroast", &format!("{options:?}"), &disc, &files(&disc, options), Subchannel::None);
    }
    let titled = Options { title: Some("Title"), ..Options::default() };
    assert_eq!(texts(&disc, titled), [((Kind::Title, 0), "Title".to_owned())]);
}

#[test]
fn descriptions_beside_the_files() {
    let tracks = [(1, Mode::Audio, 150, 20), (1, Mode::Audio, 0, 24)];
    let disc = SourceDisc::cd(&tracks).without(&[CdText, Dpm, Indices, Isrc, Mcn, Pregaps]);
    let options = Options { title: Some("Title"), described: true, wave: true };
    let expected = [
        ((Kind::Title, 0), "Title"),
        ((Kind::Title, 1), "Song 1"),
        ((Kind::Title, 2), "Song 2"),
        ((Kind::Performer, 0), "Artist"),
        ((Kind::Performer, 1), "Singer 1"),
        ((Kind::Performer, 2), "Singer 2"),
    ];
    assert_eq!(texts(&disc, options), expected.map(|(which, text)| (which, text.to_owned())));
}

fn texts(disc: &SourceDisc, options: Options) -> Vec<((Kind, u8), String)> {
    let packs = &open(&files(disc, options)).unwrap().disc.sessions[0].cd_text;
    decode(packs)[0].texts.iter().map(|(which, text)| (*which, text.clone())).collect()
}
