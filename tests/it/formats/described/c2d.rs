//! WinOnCD.

use super::{Subchannel, check};
use crate::support::images::described::c2d::{Stored, files};
use crate::support::images::described::source_disc::Detail::{Dpm, FirstPregap};
use crate::support::images::described::source_disc::SourceDisc;

#[test]
fn both_signatures_and_every_size_of_sectors() {
    let discs = [SourceDisc::mixed().flagged(), SourceDisc::sessions(), SourceDisc::forms()];
    for disc in discs.map(|disc| disc.without(&[Dpm, FirstPregap])) {
        for signature in ["Adaptec CeQuadrat VirtualCD File", "Roxio Image File Format 3.0"] {
            for stored in [Stored::UserData, Stored::WithoutHeader, Stored::Raw, Stored::RawPw] {
                let subchannel = if stored == Stored::RawPw { Subchannel::All } else { Subchannel::None };
                check("c2d", &format!("{signature}, {stored:?}"), &disc, &files(&disc, signature, stored), subchannel);
            }
        }
    }
}
