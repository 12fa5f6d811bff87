//! DiscJuggler.

use super::{Subchannel, check};
use crate::support::images::described::cdi::{Stored, Version, files};
use crate::support::images::described::source_disc::Detail::{CdText, Dpm, Structures};
use crate::support::images::described::source_disc::{Mode, SourceDisc};

#[test]
fn every_generation_and_read_mode() {
    let discs = [SourceDisc::mixed(), SourceDisc::sessions()].map(|disc| disc.without(&[CdText, Dpm]));
    for version in [Version::V35, Version::V3Long, Version::V3, Version::V2] {
        for (stored, subchannel) in [
            (Stored::UserData, Subchannel::None),
            (Stored::Raw, Subchannel::None),
            (Stored::RawQ, Subchannel::Q),
            (Stored::RawPw, Subchannel::All),
        ] {
            for disc in &discs {
                check("cdi", &format!("{version:?}, {stored:?}"), disc, &files(disc, version, stored), subchannel);
            }
        }
    }
}

#[test]
fn cd_text_mode_2_and_dvd() {
    let text = SourceDisc::mixed().without(&[Dpm]);
    check("cdi", "CD-TEXT", &text, &files(&text, Version::V35, Stored::Raw), Subchannel::None);
    let form_1 = SourceDisc::cd(&[(1, Mode::Form1, 150, 20)]).without(&[CdText, Dpm]);
    check("cdi", "2336", &form_1, &files(&form_1, Version::V35, Stored::WithoutHeader), Subchannel::None);
    let dvd = SourceDisc::dvd(30).without(&[Dpm, Structures]);
    check("cdi", "DVD", &dvd, &files(&dvd, Version::V35, Stored::UserData), Subchannel::None);
}
