//! The sound of a track as a file: WAVE, which holds a CD's samples as they are, or FLAC.

use std::io::{Seek, SeekFrom, Write};

use md5::{Digest, Md5};

use super::flac::put_frame;
use super::iso::write_blocks;
use super::ordered::ordered;
use super::output::OutFile;
use super::{ExportError, Job, Output};
use crate::disc::sector::RAW;
use crate::disc::{BLOCK_SIZE, Track};

/// Bytes of a sample of both channels.
const SAMPLE: usize = 4;
/// Samples in a FLAC frame: the default of the reference encoder, and a whole number of sectors' parts.
const FRAME: usize = 4096;

/// What a track can be written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrackFile {
    /// The 2,048-byte blocks of a data track.
    Iso,
    /// RIFF WAVE.
    Wave,
    /// FLAC.
    Flac,
}

impl TrackFile {
    /// The ending of its files.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Iso => "iso",
            Self::Wave => "wav",
            Self::Flac => "flac",
        }
    }

    /// By the ending of a file's name, in lower case.
    #[must_use]
    pub fn by_extension(ending: &str) -> Option<Self> {
        [Self::Iso, Self::Wave, Self::Flac].into_iter().find(|kind| kind.extension() == ending)
    }

    /// Bytes that are read to write `track`.
    #[must_use]
    pub fn bytes(self, track: &Track) -> u64 {
        let sector = if self == Self::Iso { u64::from(BLOCK_SIZE) } else { RAW as u64 };
        u64::from(track.blocks()) * sector
    }
}

/// Writes `track` from index 1 on, which is the track of the job and of the right kind.
///
/// # Errors
/// For the first sector that cannot be read, or when the file cannot be written.
pub fn write_track(job: &Job<'_>, track: &Track, kind: TrackFile, out: &mut Output) -> Result<(), ExportError> {
    let mut file = out.main()?;
    match kind {
        TrackFile::Iso => write_blocks(job, &mut file)?,
        TrackFile::Wave => {
            file.write_all(&wave_header(kind.bytes(track)))?;
            job.disc.each_user_data(track, |bytes| {
                file.write_all(bytes)?;
                job.tick(bytes.len() as u64)
            })?;
        }
        TrackFile::Flac => write_flac(job, track, &mut file)?,
    }
    Ok(file.flush()?)
}

/// The 44 bytes before `bytes` of samples: 44.1 kHz, 16 bits, stereo. What does not fit the 32 bits of its fields is the largest
/// number: no CD is so long.
#[must_use]
pub fn wave_header(bytes: u64) -> [u8; 44] {
    let bytes = u32::try_from(bytes).unwrap_or(u32::MAX - 36).min(u32::MAX - 36);
    let mut header = [0; 44];
    let mut put = |at: usize, field: &[u8]| header[at..at + field.len()].copy_from_slice(field);
    put(0, b"RIFF");
    put(4, &(bytes + 36).to_le_bytes());
    put(8, b"WAVEfmt ");
    put(16, &16_u32.to_le_bytes());
    put(20, &1_u16.to_le_bytes());
    put(22, &2_u16.to_le_bytes());
    put(24, &44_100_u32.to_le_bytes());
    put(28, &176_400_u32.to_le_bytes());
    put(32, &4_u16.to_le_bytes());
    put(34, &16_u16.to_le_bytes());
    put(36, b"data");
    put(40, &bytes.to_le_bytes());
    header
}

/// FLAC (RFC 9639): the marker, STREAMINFO with the MD5 of the samples, and frames of [`FRAME`] samples.
fn write_flac(job: &Job<'_>, track: &Track, file: &mut OutFile) -> Result<(), ExportError> {
    let samples = u64::from(track.blocks()) * (RAW / SAMPLE) as u64;
    file.write_all(&stream_info(samples, [0; 16]))?;
    let mut md5 = Md5::new();
    let mut lba = track.start;
    let mut waiting = Vec::with_capacity(FRAME * SAMPLE + RAW);
    let mut number = 0;
    let next = || {
        let mut raw = [0; RAW];
        while waiting.len() < FRAME * SAMPLE && lba < track.end {
            job.disc.read_sector(lba, &mut raw).map_err(std::io::Error::other)?;
            waiting.extend_from_slice(&raw);
            lba = lba.plus(1);
        }
        let frame: Vec<u8> = waiting.drain(..waiting.len().min(FRAME * SAMPLE)).collect();
        md5.update(&frame);
        job.tick(frame.len() as u64).map_err(std::io::Error::other)?;
        number += 1;
        Ok((!frame.is_empty()).then_some((number - 1, frame)))
    };
    let encode = |(number, bytes): (u32, Vec<u8>)| {
        let samples: Vec<[i16; 2]> = bytes
            .chunks_exact(SAMPLE)
            .map(|sample| [i16::from_le_bytes([sample[0], sample[1]]), i16::from_le_bytes([sample[2], sample[3]])])
            .collect();
        let mut frame = Vec::with_capacity(bytes.len());
        put_frame(&samples, number, &mut frame);
        frame
    };
    ordered(next, encode, |frame| file.write_all(&frame))?;
    file.seek(SeekFrom::Start(0))?;
    Ok(file.write_all(&stream_info(samples, md5.finalize().into()))?)
}

/// The marker and the STREAMINFO block (RFC 9639, 8.2), the only one.
fn stream_info(samples: u64, md5: [u8; 16]) -> Vec<u8> {
    let mut info = b"fLaC\x80\x00\x00\x22".to_vec();
    let frame = (FRAME as u16).to_be_bytes();
    info.extend([frame, frame].concat());
    // The sizes of the smallest and the largest frame are not told.
    info.extend([0; 6]);
    // 20 bits of rate, 3 of channels less one, 5 of bits a sample less one, 36 of samples.
    let packed = 44_100 << 44 | 1 << 41 | 15 << 36 | samples & 0xF_FFFF_FFFF;
    info.extend(packed.to_be_bytes());
    info.extend(md5);
    info
}
