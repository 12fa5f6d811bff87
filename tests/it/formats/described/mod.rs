//! Images built from the formats' description alone, by another hand than their readers: each gives back the disc that went
//! in, its tracks, addresses and every sector.

mod b6t;
mod blocks;
mod bwt;
mod c2d;
mod ccd;
mod cdi;
mod chd_old;
mod cif;
mod daa;
mod damaged;
mod dmg;
mod ecm;
mod isz;
mod mds;
mod mdx;
mod nrg;
mod readcd;
mod uif;
mod xcdroast;

use std::sync::Arc;

use spindle::disc::{Disc, Lba, MediumType, SectorError, Track, TrackMode};
use spindle::image::{OpenOptions, Opened, Passwords, open_with};
use spindle::source::siblings::NamedSources;
use spindle::source::{BlockCache, MemorySource, SharedSource};

use crate::support::images::described::source_disc::{Mode, SourceDisc, SourceTrack};
use crate::support::images::described::source_sector::{RAW, data_sector};
use crate::support::inputs;

/// How much of the subchannel an image stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subchannel {
    None,
    /// P and Q.
    Q,
    /// R to W, and no P and Q.
    Rw,
    All,
}

/// The password of the images that have one.
struct Secret<'a>(&'a str);

impl Passwords for Secret<'_> {
    fn password(&self, _file: &str, attempt: u32) -> Option<Vec<u8>> {
        (attempt == 0).then(|| self.0.as_bytes().to_vec())
    }
}

pub(super) type Files = Vec<(String, Vec<u8>)>;

/// Opens the first of `files` with the others beside it.
pub(super) fn open(files: &Files) -> Result<Opened, spindle::image::ImageError> {
    open_locked(files, "secret")
}

fn open_locked(files: &Files, password: &str) -> Result<Opened, spindle::image::ImageError> {
    let source = |bytes: &Vec<u8>| -> SharedSource { Arc::new(MemorySource::new(bytes.clone())) };
    let beside = files.iter().map(|(name, bytes)| (name.clone().into_bytes(), source(bytes)));
    let siblings = Arc::new(NamedSources(beside.collect()));
    let cache = BlockCache::with_workers(1 << 20, 0);
    let options = OpenOptions { passwords: &Secret(password), cache, ..OpenOptions::default() };
    let (name, bytes) = &files[0];
    open_with(source(bytes), name, siblings, &options)
}

/// Opens `files` and holds what they give against the disc that they were made from.
#[track_caller]
fn check(format: &str, variant: &str, source: &SourceDisc, files: &Files, subchannel: Subchannel) {
    let opened = open(files).unwrap_or_else(|error| panic!("{format}, {variant}: {error}"));
    assert_eq!(opened.format.id, format, "{variant}");
    checksums_hold(&opened, format, variant);
    let disc = &opened.disc;
    assert_eq!(disc.medium, if source.dvd { MediumType::DvdRom } else { MediumType::CdRom }, "{format}, {variant}");
    assert_eq!(disc.mcn, source.mcn, "{format}, {variant}: MCN");
    assert_eq!(disc.sessions[0].cd_text, source.cd_text, "{format}, {variant}: CD-TEXT");
    let dpm = disc.dpm.as_ref().map(|dpm| (dpm.start, dpm.resolution, &dpm.entries));
    let source_dpm = source.dpm.as_ref().map(|dpm| (Lba(dpm.start as i32), dpm.resolution, &dpm.entries));
    assert_eq!(dpm, source_dpm, "{format}, {variant}: DPM");
    let mut structures: Vec<_> = disc.structures.iter().map(|stored| (stored.format, stored.data.clone())).collect();
    structures.sort();
    assert!(structures == source.structures, "{format}, {variant}: structures");
    assert_eq!(disc.sessions.len(), source.by_session().len(), "{format}, {variant}: sessions");
    let tracks: Vec<_> = disc.sessions.iter().flat_map(|s| s.tracks.iter().map(|track| (s.number, track))).collect();
    assert_eq!(tracks.len(), source.tracks.len(), "{format}, {variant}: tracks");
    for ((session, track), expected) in tracks.iter().zip(&source.tracks) {
        let what = format!("{format}, {variant}, track {}", expected.number);
        assert_eq!(*session, expected.session, "{what}: session");
        check_track(&what, track, expected);
        check_sectors(&what, disc, source.dvd, expected, subchannel);
    }
    for (session, tracks) in disc.sessions.iter().zip(source.by_session()) {
        let end = tracks.last().unwrap().end();
        assert_eq!(session.lead_out, Lba(end), "{format}, {variant}: lead-out of session {}", session.number);
    }
}

/// Opens `files`, in which the container `format` holds the blocks `data`, and reads them all, the last first.
#[track_caller]
fn check_volume(format: &str, variant: &str, data: &[u8], files: &Files) {
    check_locked_volume(format, variant, data, files, "secret");
}

/// The same, with another password.
#[track_caller]
fn check_locked_volume(format: &str, variant: &str, data: &[u8], files: &Files, password: &str) {
    let opened = open_locked(files, password).unwrap_or_else(|error| panic!("{format}, {variant}: {error}"));
    let containers: Vec<_> = opened.containers.iter().map(|container| container.id).collect();
    assert_eq!(containers, [format], "{variant}");
    assert_eq!(opened.warnings, [""; 0], "{format}, {variant}");
    checksums_hold(&opened, format, variant);
    let tracks: Vec<_> = opened.disc.tracks().map(|track| (track.start.0, track.end.0)).collect();
    assert_eq!(tracks, [(0, (data.len() / 2048) as i32)], "{format}, {variant}");
    for (lba, expected) in data.chunks(2048).enumerate().rev() {
        let mut block = [0; 2048];
        opened
            .disc
            .read_block(Lba(lba as i32), &mut block)
            .unwrap_or_else(|error| panic!("{format}, {variant}: {error}"));
        assert!(block == expected, "{format}, {variant}: block {lba}");
    }
}

#[track_caller]
fn checksums_hold(opened: &Opened, format: &str, variant: &str) {
    for check in &opened.checks {
        assert!(check.run(&|_| ()).unwrap(), "{format}, {variant}: {}", check.name());
    }
}

fn check_track(what: &str, track: &Track, expected: &SourceTrack) {
    let mode = match expected.mode {
        Mode::Audio => TrackMode::Audio,
        Mode::Mode1 => TrackMode::Mode1,
        Mode::Form1 | Mode::Form2 | Mode::Mixed => TrackMode::Mode2Xa,
    };
    assert_eq!(track.number, expected.number, "{what}: number");
    assert_eq!(track.mode, mode, "{what}: mode");
    assert_eq!(track.control.0, expected.control(), "{what}: control");
    assert_eq!(track.start, Lba(expected.start), "{what}: start");
    assert_eq!(track.pregap, expected.pregap, "{what}: pre-gap");
    assert_eq!(track.end, Lba(expected.end()), "{what}: end");
    let indices: Vec<_> = expected.indices.iter().map(|&index| Lba(expected.start).plus(index)).collect();
    assert_eq!(track.indices, indices, "{what}: indices");
    assert_eq!(track.isrc, expected.isrc, "{what}: ISRC");
}

fn check_sectors(what: &str, disc: &Disc, dvd: bool, expected: &SourceTrack, subchannel: Subchannel) {
    for (lba, sector) in (expected.first()..).zip(&expected.sectors) {
        let (mut block, mut raw) = ([0; 2048], [0; RAW]);
        match (disc.read_block(Lba(lba), &mut block), expected.block(sector)) {
            (Ok(()), Some(user_data)) => assert!(block == sector[user_data], "{what}: user data of {lba}"),
            (Err(SectorError::WrongMode(_)), None) => {}
            (read, _) => panic!("{what}: block {lba}: {read:?}"),
        }
        if !dvd {
            disc.read_sector(Lba(lba), &mut raw).unwrap_or_else(|error| panic!("{what}: {error}"));
            assert!(raw == *sector, "{what}: sector {lba}");
        }
        // A pre-gap may have none of its own.
        if subchannel != Subchannel::None && lba >= expected.start {
            let kept = match subchannel {
                Subchannel::None => 0..0,
                Subchannel::Q => 0..24,
                Subchannel::Rw => 24..96,
                Subchannel::All => 0..96,
            };
            let stored = disc.read_subchannel(Lba(lba)).unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(stored[kept.clone()], expected.subchannel(lba)[kept], "{what}: subchannel of {lba}");
        }
    }
}

#[test]
fn sectors_that_builders_make_are_as_in_a_file_that_others_made() {
    let file = std::fs::read(inputs::path("libcdio/isofs-m1.bin")).unwrap();
    for (lba, sector) in (0..).zip(file.chunks_exact(RAW)) {
        assert!(data_sector(Mode::Mode1, lba, &sector[16..2064]) == sector, "sector {lba}");
    }
}
