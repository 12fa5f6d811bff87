//! MAME's compressed hunks before version 5.

use super::{Subchannel, check};
use crate::support::images::described::chd_old::{Metadata, Options, Packing, files, hard_disk};
use crate::support::images::described::source_disc::Detail::{CdText, Dpm, Indices, Isrc, Mcn};
use crate::support::images::described::source_disc::{Mode, SourceDisc};
use crate::support::images::described::source_sector::{RAW, data_sector};

fn mixed(pregap: u32) -> SourceDisc {
    let tracks = [(1, Mode::Mode1, 150, 22), (1, Mode::Audio, pregap, 30), (1, Mode::Form1, 0, 5)];
    let mut disc = SourceDisc::cd(&tracks).without(&[CdText, Dpm, Indices, Isrc, Mcn]);
    // Silence: hunks that repeat eight bytes, and one another.
    disc.tracks[1].sectors[12..].fill([0; RAW]);
    disc
}

#[test]
fn versions_3_and_4() {
    for version in [3, 4] {
        for metadata in [Metadata::Cht2, Metadata::Cht2Raw, Metadata::Chtr, Metadata::ChcdBig, Metadata::ChcdLittle] {
            let (disc, subchannel) = match metadata {
                Metadata::Cht2 => (mixed(8), Subchannel::None),
                Metadata::Cht2Raw => (mixed(8), Subchannel::All),
                Metadata::Chtr | Metadata::ChcdBig | Metadata::ChcdLittle => (mixed(0), Subchannel::None),
            };
            for packing in [Packing::Zlib, Packing::ZlibPlus, Packing::None] {
                for [user_data, parent] in [[false, false], [true, false], [false, true]] {
                    let options = Options { version, packing, metadata, user_data, parent };
                    check("chd", &format!("{options:?}"), &disc, &files(&disc, options), subchannel);
                }
            }
        }
    }
}

#[test]
fn both_forms() {
    let disc = SourceDisc::forms().without(&[CdText, Dpm, Mcn]);
    for metadata in [Metadata::Cht2, Metadata::Chtr, Metadata::ChcdBig, Metadata::ChcdLittle] {
        for user_data in [false, true] {
            let options = Options { version: 4, packing: Packing::Zlib, metadata, user_data, parent: false };
            check("chd", &format!("{options:?}"), &disc, &files(&disc, options), Subchannel::None);
        }
    }
}

#[test]
fn versions_1_and_2_hold_blocks_without_tracks() {
    let mut disc = SourceDisc::cd(&[(1, Mode::Mode1, 150, 40)]).without(&[CdText, Dpm, Mcn]);
    let mut descriptor = [0; 2048];
    descriptor[..6].copy_from_slice(b"\x01CD001");
    disc.tracks[0].sectors[150 + 16] = data_sector(Mode::Mode1, 16, &descriptor);
    let blocks = disc.tracks[0].stored(0, 16..2064, |_| Vec::new());
    for version in [1, 2] {
        check("chd", &format!("version {version}"), &disc, &hard_disk(version, &blocks), Subchannel::None);
    }
}

mod tools {
    //! What the builder writes is what `chdman` reads.

    use std::process::Command;

    use super::*;

    #[test]
    fn chdman_extracts_the_disc() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for (version, metadata, pregap) in
            [(3, Metadata::Chtr, 0), (3, Metadata::Cht2, 8), (4, Metadata::ChcdBig, 0), (4, Metadata::ChcdLittle, 0)]
        {
            let disc = mixed(pregap);
            let options = Options { version, packing: Packing::ZlibPlus, metadata, user_data: false, parent: false };
            std::fs::write(path("disc.chd"), &files(&disc, options)[0].1).unwrap();
            let mut chdman = Command::new("chdman");
            chdman.args(["extractcd", "-f", "-i"]).arg(path("disc.chd"));
            chdman.arg("-o").arg(path("disc.cue")).arg("-ob").arg(path("disc.bin"));
            let output = chdman.output().expect("chdman is missing: apt-get install mame-tools");
            assert!(output.status.success(), "{options:?}: {}", String::from_utf8_lossy(&output.stderr));
            let whole = disc.tracks.iter().flat_map(|track| track.stored(track.first().max(0), 0..RAW, |_| Vec::new()));
            assert!(std::fs::read(path("disc.bin")).unwrap() == whole.collect::<Vec<u8>>(), "{options:?}");
        }
    }
}
