//! X-CD-Roast.

use spindle::disc::cdtext::{Kind, decode};

use super::{Subchannel, check, open};
use crate::support::images::described::source_disc::Detail::{CdText, Dpm, Indices, Isrc, Mcn, Pregaps};
use crate::support::images::described::source_disc::{Mode, SourceDisc};
use crate::support::images::described::xcdroast::files;

#[test]
fn raw_sound_and_wave() {
    let tracks = [(1, Mode::Mode1, 150, 20), (1, Mode::Audio, 152, 24), (1, Mode::Audio, 0, 16)];
    let disc = SourceDisc::cd(&tracks).without(&[CdText, Dpm, Indices, Isrc, Mcn, Pregaps]);
    for wave in [false, true] {
        check("xcdroast", &format!("wave: {wave}"), &disc, &files(&disc, wave, None), Subchannel::None);
    }
    let titled = open(&files(&disc, false, Some("Title"))).unwrap().disc;
    let texts = &decode(&titled.sessions[0].cd_text)[0].texts;
    assert_eq!(texts.iter().collect::<Vec<_>>(), [(&(Kind::Title, 0), &"Title".to_owned())]);
}
