//! BlindWrite 5 and 6.

use super::{Subchannel, check};
use crate::support::images::described::b6t::{Options, Subchannel as Stored, files};
use crate::support::images::described::source_disc::Detail::{FirstPregap, Indices, Isrc};
use crate::support::images::described::source_disc::SourceDisc;

#[test]
fn every_subchannel_one_file_or_many() {
    for disc in [SourceDisc::mixed().flagged(), SourceDisc::sessions(), SourceDisc::forms()] {
        let disc = disc.without(&[FirstPregap, Indices, Isrc]);
        for (stored, subchannel) in
            [(Stored::None, Subchannel::None), (Stored::Q16, Subchannel::Q), (Stored::Linear, Subchannel::All)]
        {
            for cut in [None, Some(9)] {
                let files = files(&disc, Options { subchannel: stored, cut, bwa: cut.is_some() });
                check("b6t", &format!("{stored:?}, {cut:?}"), &disc, &files, subchannel);
            }
        }
    }
}

#[test]
fn dvd() {
    let disc = SourceDisc::dvd(30);
    for cut in [None, Some(16)] {
        let files = files(&disc, Options { cut, ..Options::default() });
        check("b6t", &format!("DVD, {cut:?}"), &disc, &files, Subchannel::None);
    }
}
