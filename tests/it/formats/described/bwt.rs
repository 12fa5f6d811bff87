//! BlindWrite 4.

use super::{Subchannel, check};
use crate::support::images::described::bwt::{Options, files};
use crate::support::images::described::source_disc::Detail::{CdText, Dpm, FirstPregap, Indices};
use crate::support::images::described::source_disc::SourceDisc;

#[test]
fn one_file_or_one_for_each_track_with_and_without_subchannel() {
    for disc in
        [SourceDisc::mixed(), SourceDisc::sessions()].map(|disc| disc.without(&[CdText, Dpm, FirstPregap, Indices]))
    {
        check("bwt", "one file", &disc, &files(&disc, Options::default()), Subchannel::None);
        let separate = Options { separate: true, ..Options::default() };
        check("bwt", "a file for each track", &disc, &files(&disc, separate), Subchannel::None);
        let subchannel = Options { subchannel: true, ..Options::default() };
        check("bwt", "subchannel", &disc, &files(&disc, subchannel), Subchannel::All);
    }
}
