//! A small disc as plain values: what every builder writes in its own format, and what a reader must give back.
//!
//! Subchannel after section 0.6, CD-TEXT packs after section 0.7 of the formats' description.

use std::ops::Range;

use super::source_sector::{RAW, bcd, data_sector, msf, q_crc, sector};

/// What the sectors of a track hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Audio,
    Mode1,
    Form1,
    Form2,
    /// Form 1 and Form 2 in turns.
    Mixed,
}

/// What a format may be unable to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    Mcn,
    Isrc,
    Indices,
    CdText,
    /// The sound of the pre-gaps of audio tracks.
    Pregaps,
    /// The two seconds of sound before the disc alone.
    FirstPregap,
    Dpm,
    Structures,
}

#[derive(Debug, Clone)]
pub struct SourceTrack {
    pub session: u8,
    pub number: u8,
    pub mode: Mode,
    /// Address of index 1.
    pub start: i32,
    /// Sectors before index 1.
    pub pregap: u32,
    /// All sectors, those of the pre-gap first.
    pub sectors: Vec<[u8; RAW]>,
    /// Where index 2 and the following are, in sectors from index 1.
    pub indices: Vec<u32>,
    pub isrc: Option<[u8; 12]>,
    /// Bits of CONTROL: 1 for pre-emphasis, 2 where copying is permitted.
    pub flags: u8,
}

/// Data position measurement (section 0.10).
#[derive(Debug, Clone)]
pub struct SourceDpm {
    pub start: u32,
    pub resolution: u32,
    pub entries: Vec<u32>,
}

#[derive(Debug, Clone)]
pub struct SourceDisc {
    pub dvd: bool,
    pub tracks: Vec<SourceTrack>,
    pub mcn: Option<[u8; 13]>,
    /// Packs of the first session.
    pub cd_text: Vec<[u8; 18]>,
    pub dpm: Option<SourceDpm>,
    /// Structures of a DVD: format and data, without their header.
    pub structures: Vec<(u8, Vec<u8>)>,
}

impl SourceDisc {
    /// A CD of tracks given by session, mode, pre-gap and sectors from index 1 on. Sessions follow after the usual gaps.
    pub fn cd(tracks: &[(u8, Mode, u32, u32)]) -> Self {
        let (mut at, mut last) = (-150, 1);
        let tracks = (1..).zip(tracks).map(|(number, &(session, mode, pregap, blocks))| {
            at += match session {
                _ if session == last => 0,
                2 => 11_250,
                _ => 6750,
            };
            last = session;
            let start = at + pregap as i32;
            let sectors = (at..start + blocks as i32).map(|lba| sector(mode, lba, lba < start)).collect();
            at = start + blocks as i32;
            let audio = mode == Mode::Audio;
            let indices = if audio && blocks > 12 { vec![5, 9] } else { Vec::new() };
            let isrc = audio.then_some(*b"DEABC2400017");
            SourceTrack { session, number, mode, start, pregap, sectors, indices, isrc, flags: 0 }
        });
        let cd_text = vec![pack(0x80, 0, b"Spindle\0Firs"), pack(0x80, 1, b"t\0Second\0\0\0\0")];
        Self {
            dvd: false,
            tracks: tracks.collect(),
            mcn: Some(*b"4012345678901"),
            cd_text,
            dpm: Some(SourceDpm { start: 0, resolution: 4, entries: vec![100, 201, 303, 406] }),
            structures: Vec::new(),
        }
    }

    /// A data track, then an audio track.
    pub fn mixed() -> Self {
        Self::cd(&[(1, Mode::Mode1, 150, 20), (1, Mode::Audio, 8, 24)])
    }

    /// Audio tracks in the first session, data in the second and the third.
    pub fn sessions() -> Self {
        let (audio, data) = (Mode::Audio, Mode::Form1);
        Self::cd(&[(1, audio, 150, 20), (1, audio, 8, 16), (2, data, 150, 20), (3, Mode::Mode1, 150, 12)])
    }

    /// Tracks of Form 1 and Form 2 in turns, and one of Form 2.
    pub fn forms() -> Self {
        Self::cd(&[(1, Mode::Mixed, 150, 20), (1, Mode::Form2, 0, 12)])
    }

    /// With the flags of CONTROL that a track can have.
    pub fn flagged(mut self) -> Self {
        for track in &mut self.tracks {
            track.flags = match (track.mode, track.number % 2) {
                (Mode::Audio, 0) => 1,
                (Mode::Audio, _) => 3,
                _ => 2,
            };
        }
        self
    }

    /// A DVD.
    pub fn dvd(blocks: u32) -> Self {
        let text = |length| (0..length).map(|at| (at as u8).wrapping_mul(3)).collect();
        let structures = vec![(0, [vec![1, 2, 1, 0], text(2044)].concat()), (1, text(4)), (4, text(2048))];
        let disc = Self::cd(&[(1, Mode::Mode1, 0, blocks)]);
        let mut disc = Self { dvd: true, structures, ..disc }.without(&[Detail::Mcn, Detail::CdText]);
        disc.tracks[0].start = 0;
        disc
    }

    /// A CD with these blocks in one data track, and no details.
    pub fn of_blocks(blocks: &[u8]) -> Self {
        let blocks = blocks.as_chunks::<2048>().0;
        let mut disc = Self::cd(&[(1, Mode::Mode1, 150, blocks.len() as u32)]);
        let sectors = &mut disc.tracks[0].sectors[150..];
        for ((lba, block), sector) in (0..).zip(blocks).zip(sectors) {
            *sector = data_sector(Mode::Mode1, lba, block);
        }
        disc.without(&[Detail::Mcn, Detail::CdText, Detail::Dpm])
    }

    /// Without what a format cannot say.
    pub fn without(mut self, details: &[Detail]) -> Self {
        for detail in details {
            match detail {
                Detail::Mcn => self.mcn = None,
                Detail::Isrc => self.tracks.iter_mut().for_each(|track| track.isrc = None),
                Detail::Indices => self.tracks.iter_mut().for_each(|track| track.indices.clear()),
                Detail::CdText => self.cd_text.clear(),
                Detail::Dpm => self.dpm = None,
                Detail::Structures => self.structures.clear(),
                Detail::FirstPregap => {
                    if let Some(track) = self.tracks.first_mut().filter(|track| track.mode == Mode::Audio) {
                        track.sectors[..150].fill([0; RAW]);
                    }
                }
                Detail::Pregaps => {
                    for track in self.tracks.iter_mut().filter(|track| track.mode == Mode::Audio) {
                        track.sectors[..track.pregap as usize].fill([0; RAW]);
                    }
                }
            }
        }
        self
    }

    /// The sectors of a range of addresses within one session.
    pub fn sectors(&self, range: Range<i32>) -> Vec<[u8; RAW]> {
        let all = self.tracks.iter().flat_map(|track| (track.first()..).zip(&track.sectors));
        all.filter(|(lba, _)| range.contains(lba)).map(|(_, sector)| *sector).collect()
    }

    /// The tracks of each session.
    pub fn by_session(&self) -> Vec<&[SourceTrack]> {
        self.tracks.chunk_by(|a, b| a.session == b.session).collect()
    }
}

impl SourceTrack {
    /// Address of the first sector of the pre-gap.
    pub fn first(&self) -> i32 {
        self.start - self.pregap as i32
    }

    /// Address after the last sector.
    pub fn end(&self) -> i32 {
        self.first() + self.sectors.len() as i32
    }

    /// Sectors from index 1 on.
    pub fn blocks(&self) -> u32 {
        self.sectors.len() as u32 - self.pregap
    }

    /// The CONTROL field.
    pub fn control(&self) -> u8 {
        self.flags | if self.mode == Mode::Audio { 0 } else { 4 }
    }

    /// The part `bytes` of the sectors from `lba` to the end, each followed by what `after` gives for its address.
    pub fn stored(&self, lba: i32, bytes: Range<usize>, after: impl Fn(i32) -> Vec<u8>) -> Vec<u8> {
        let sectors = (self.first()..).zip(&self.sectors).filter(|&(at, _)| at >= lba);
        sectors.flat_map(|(at, sector)| [sector[bytes.clone()].to_vec(), after(at)].concat()).collect()
    }

    /// The user data that all sectors of the track have, as a range of the whole sector.
    pub fn user_data(&self) -> Range<usize> {
        match self.mode {
            Mode::Audio => 0..RAW,
            Mode::Mode1 => 16..2064,
            Mode::Form1 => 24..2072,
            Mode::Form2 => 24..2348,
            Mode::Mixed => 16..RAW,
        }
    }

    /// Where the block of 2,048 bytes lies in `sector`, if it has one: the sub-header tells Form 2.
    pub fn block(&self, sector: &[u8; RAW]) -> Option<Range<usize>> {
        match self.mode {
            Mode::Audio => None,
            Mode::Mode1 => Some(16..2064),
            Mode::Form1 | Mode::Form2 | Mode::Mixed => (sector[18] & 0x20 == 0).then_some(24..2072),
        }
    }

    /// The subchannel at `lba`, one channel after another: P and Q as they should be, R to W a pattern.
    pub fn subchannel(&self, lba: i32) -> [u8; 96] {
        let mut channels = [0; 96];
        channels[..12].fill(if lba < self.start { 0xFF } else { 0 });
        let index = match lba - self.start {
            ..0 => 0,
            after => 1 + self.indices.iter().filter(|&&index| index as i32 <= after).count() as u8,
        };
        let q = &mut channels[12..24];
        q[0] = self.control() << 4 | 1;
        q[1] = bcd(self.number);
        q[2] = bcd(index);
        q[3..6].copy_from_slice(&msf((lba - self.start).abs()).map(bcd));
        q[7..10].copy_from_slice(&msf(lba + 150).map(bcd));
        let crc = q_crc(&q[..10]).to_be_bytes();
        q[10..].copy_from_slice(&crc);
        for (at, byte) in channels[24..].iter_mut().enumerate() {
            *byte = (lba as u8).wrapping_mul(7).wrapping_add(at as u8);
        }
        channels
    }
}

/// One bit of each channel in a byte, P in bit 7.
pub fn interleaved(channels: &[u8; 96]) -> Vec<u8> {
    let bit = |channel: usize, at: usize| channels[channel * 12 + at / 8] >> (7 - at % 8) & 1;
    (0..96).map(|at| (0..8).map(|channel| bit(channel, at) << (7 - channel)).sum()).collect()
}

/// Q with its CRC, three zeros, P in bit 7.
pub fn q16(channels: &[u8; 96]) -> Vec<u8> {
    [&channels[12..24], &[0, 0, 0, channels[0] & 0x80]].concat()
}

fn pack(kind: u8, sequence: u8, text: &[u8; 12]) -> [u8; 18] {
    let mut pack = [0; 18];
    // The second pack goes on in the text of track 1, four characters in.
    pack[..4].copy_from_slice(&[kind, sequence, sequence, if sequence == 0 { 0 } else { 4 }]);
    pack[4..16].copy_from_slice(text);
    let crc = q_crc(&pack[..16]).to_be_bytes();
    pack[16..].copy_from_slice(&crc);
    pack
}
