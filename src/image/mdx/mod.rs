//! MDX, and MDS/MDF with version 2 of the descriptor: DAEMON Tools (formats.md, 8).
//!
//! The descriptor of Alcohol 120% with wider numbers, packed and encrypted with a key that the file itself has. Data may be
//! packed in groups of sectors, and protected by a password.
//!
//! Not read: DPM blocks after the first; which sectors a protection has twice (TAGES).

mod crypt;
mod descriptor;
mod encrypted;
mod groups;
mod sectors;

use std::io;
use std::sync::Arc;

use self::crypt::{KEY_HEADER, KeyHeader, Mode, password_in};
pub use self::descriptor::disc;
use super::mds::SIGNATURE;
use super::record::{Record, bytes_at};
use super::{Check, FormatInfo, ImageError, ImageErrorKind, ImageFormat, OpenContext, Probe, Score};
use crate::container::inflate::inflate;
use crate::disc::Disc;
use crate::source::{MemorySource, SharedSource};

/// Version 2, in a file of its own or with its data.
pub struct Mdx;

static INFO: FormatInfo =
    FormatInfo { id: "mdx", name: "DAEMON Tools (MDX, MDS version 2)", extensions: &["mdx", "mds"] };

const HEADER: usize = 48;
/// Bytes of the file that stand before the descriptor proper and that its offsets count.
const PREFIX: usize = 18;
/// Where the key header is, in the header of a file without data; this in one with data.
const WITH_DATA: u32 = u32::MAX;
/// The descriptor's encryption begins anew after so many bytes.
const RUN: usize = 512;
/// Bytes of a descriptor, at most: a DPM of a whole disc is the largest part.
const LONGEST: u32 = 16 << 20;
/// A stream of zlib is at least so many times shorter than what it holds.
const MOST_DEFLATE: u32 = 1032;

impl ImageFormat for Mdx {
    fn info(&self) -> &'static FormatInfo {
        &INFO
    }

    fn probe(&self, probe: &Probe<'_>) -> Score {
        if probe.has(0, SIGNATURE) && probe.has(16, &[2]) { Score::Sure } else { Score::No }
    }

    fn open(&self, source: SharedSource, cx: &OpenContext<'_>) -> Result<Disc, ImageError> {
        let header = Record::<HEADER>::read(&source, 0)?;
        let with_data = header.u32(44) == WITH_DATA;
        let (start, keys) = if with_data {
            let footer = Record::<16>::read(&source, HEADER as u64)?;
            let (start, len) = (footer.u64(0), footer.u64(8));
            // The footer is counted up to the end of the salt.
            let keys = len.checked_sub(64).and_then(|len| start.checked_add(len));
            (start, keys.ok_or_else(|| ImageError::invalid("a descriptor of an impossible length").at(56))?)
        } else {
            (HEADER as u64, u64::from(header.u32(44)))
        };
        let plain = descriptor_at(&source, start, keys)?;
        cx.offer_check(Arc::new(DescriptorCheck { source: Arc::clone(&source), start, keys }));
        let prefix: [u8; PREFIX] = header.bytes(0);
        let plain = Arc::new(MemorySource::new([&prefix[..], &plain].concat()));
        disc(plain, with_data.then_some(source), cx)
    }
}

/// The checksums of the descriptor, which are all that the format has.
#[derive(Debug)]
struct DescriptorCheck {
    source: SharedSource,
    start: u64,
    keys: u64,
}

impl Check for DescriptorCheck {
    fn name(&self) -> String {
        "CRC-32 of the descriptor's key, Adler-32 of the descriptor".to_owned()
    }

    fn bytes(&self) -> u64 {
        (self.keys - self.start).saturating_add(KEY_HEADER as u64)
    }

    fn run(&self, progress: &dyn Fn(u64)) -> io::Result<bool> {
        let found = descriptor_at(&self.source, self.start, self.keys);
        progress(self.bytes());
        match found {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ImageErrorKind::Io => Err(io::Error::other(error)),
            Err(_) => Ok(false),
        }
    }
}

/// The descriptor that begins at `start` and ends where its key header does begin.
fn descriptor_at(source: &SharedSource, start: u64, keys: u64) -> Result<Vec<u8>, ImageError> {
    let header = Record::<KEY_HEADER>::read(source, keys)?;
    let Some(KeyHeader { keys: key, packed, unpacked }) =
        KeyHeader::open(&header, &password_in(&header), Mode::WhitenedCbc)
    else {
        let message = "the header with the key of the descriptor is damaged, or the file is cut off";
        return Err(ImageError::invalid(message).at(keys));
    };
    if keys.checked_sub(start) != Some(u64::from(packed).next_multiple_of(16)) {
        return Err(ImageError::invalid(format!("a descriptor of {packed} bytes does not fit its place")).at(start));
    }
    if packed > LONGEST || unpacked > LONGEST || unpacked / MOST_DEFLATE > packed {
        let message = format!("a descriptor of {packed} bytes, of {unpacked} when unpacked, is not read");
        return Err(ImageError::new(ImageErrorKind::Limit, message).at(start));
    }
    let mut bytes = bytes_at(source, start, keys - start)?;
    bytes.chunks_mut(RUN).for_each(|run| key.decrypt_whitened_cbc(run));
    bytes.truncate(packed as usize);
    let mut plain = vec![0; unpacked as usize];
    inflate(&bytes, true, &mut plain).map_err(|_| ImageError::invalid("the descriptor is damaged").at(start))?;
    Ok(plain)
}
