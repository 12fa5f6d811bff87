//! BlindWrite 4.

use super::{Subchannel, check};
use crate::support::images::described::bwt::{Options, files};
use crate::support::images::described::source_disc::Detail::{CdText, Dpm, FirstPregap, Indices};
use crate::support::images::described::source_disc::SourceDisc;

#[test]
fn one_file_or_one_for_each_track_with_and_without_subchannel() {
    let discs = [SourceDisc::mixed().flagged(), SourceDisc::sessions(), SourceDisc::forms()];
    for disc in discs.map(|disc| disc.without(&[CdText, FirstPregap, Indices])) {
        for texts in [false, true] {
            let plain = Options { texts, ..Options::default() };
            check("bwt", "one file", &disc, &files(&disc, plain), Subchannel::None);
            let separate = Options { separate: true, ..plain };
            check("bwt", "a file for each track", &disc, &files(&disc, separate), Subchannel::None);
            let subchannel = Options { subchannel: true, ..plain };
            check("bwt", "subchannel", &disc, &files(&disc, subchannel), Subchannel::All);
        }
        let unmeasured = disc.without(&[Dpm]);
        check("bwt", "no DPM", &unmeasured, &files(&unmeasured, Options::default()), Subchannel::None);
    }
}
