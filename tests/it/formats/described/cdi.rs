//! DiscJuggler.

use super::{Subchannel, check};
use crate::support::images::described::cdi::{Stored, Version, files};
use crate::support::images::described::source_disc::Detail::{CdText, Dpm, Structures};
use crate::support::images::described::source_disc::{Mode, SourceDisc};

#[test]
fn every_generation_and_read_mode() {
    let discs = [SourceDisc::mixed().flagged(), SourceDisc::sessions()].map(|disc| disc.without(&[CdText, Dpm]));
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
fn both_forms() {
    let form_1 = SourceDisc::cd(&[(1, Mode::Form1, 150, 20)]);
    for disc in [form_1, SourceDisc::forms()].map(|disc| disc.without(&[CdText, Dpm])) {
        for version in [Version::V35, Version::V3Long, Version::V3, Version::V2] {
            for (stored, subchannel) in [
                (Stored::WithoutHeader, Subchannel::None),
                (Stored::Raw, Subchannel::None),
                (Stored::RawQ, Subchannel::Q),
                (Stored::RawPw, Subchannel::All),
            ] {
                check("cdi", &format!("{version:?}, {stored:?}"), &disc, &files(&disc, version, stored), subchannel);
            }
        }
    }
}

#[test]
fn cd_text_and_dvd() {
    for disc in [SourceDisc::mixed(), SourceDisc::sessions()].map(|disc| disc.without(&[Dpm])) {
        check("cdi", "CD-TEXT", &disc, &files(&disc, Version::V35, Stored::Raw), Subchannel::None);
    }
    let dvd = SourceDisc::dvd(30).without(&[Dpm, Structures]);
    check("cdi", "DVD", &dvd, &files(&dvd, Version::V35, Stored::UserData), Subchannel::None);
}
