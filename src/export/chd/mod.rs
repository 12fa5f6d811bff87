//! Writing CHD version 5 (formats.md, 13), packed, as chdman writes it: metadata after the header, then the hunks, then the map.
//!
//! A CD becomes frames of 2,448 bytes, any other disc blocks of 2,048. Equal hunks are stored once.

mod content;
mod huffman;
mod map;
mod pack;

use std::collections::HashMap;
use std::io::{self, Seek, SeekFrom, Write};

use sha1::{Digest, Sha1};

use self::content::Content;
use self::map::Place;
use self::pack::{Packed, codecs, pack};
use super::ordered::ordered;
use super::output::OutFile;
use super::{ExportError, Extras, Job, Output, Target};
use crate::disc::Disc;
use crate::image::FormatInfo;
use crate::image::chd::metadata::{PROTECTED, overall_sha1};

/// The target.
pub struct Chd;

static INFO: FormatInfo =
    FormatInfo { id: "chd", name: "the whole disc, compressed, as chdman writes it", extensions: &["chd"] };

const HEADER: usize = 124;

impl Target for Chd {
    fn info(&self) -> &'static FormatInfo {
        &INFO
    }

    fn losses(&self, job: &Job<'_>) -> Result<Vec<String>, ExportError> {
        if content::is_ambiguous(job.disc) {
            let message = "sound of exactly two seconds is hidden before track 1, which readers of CHD take for the pre-gap \
                           that every disc has; convert it to CUE or CCD";
            return Err(ExportError::Refused(message.to_owned()));
        }
        let mut losses = Vec::new();
        if job.disc.sessions.len() > 1 {
            losses.push(format!("{} sessions: the tracks of all are kept, in one", job.disc.sessions.len()));
        }
        if job.disc.tracks().any(|track| !track.indices.is_empty()) {
            losses.push("indices above 1".to_owned());
        }
        let kept = Extras { subchannel: true, cd_text: false, structures: false, dpm: false, codes: false };
        losses.extend(Extras::of(job.disc).lost(&kept));
        Ok(losses)
    }

    fn bytes(&self, job: &Job<'_>) -> u64 {
        bytes(job.disc)
    }

    fn write(&self, job: &Job<'_>, out: &mut Output) -> Result<(), ExportError> {
        let mut file = Cancellable { file: out.main()?, job };
        Ok(write(job.disc, &mut file, job.progress)?)
    }
}

/// A file that cannot be written any more when the job was cancelled.
struct Cancellable<'a> {
    file: OutFile,
    job: &'a Job<'a>,
}

impl Write for Cancellable<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.job.tick(0).map_err(io::Error::other)?;
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for Cancellable<'_> {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.file.seek(position)
    }
}

/// Bytes of content that [`write`] tells `progress` in all.
pub fn bytes(disc: &Disc) -> u64 {
    Content::of(disc).logical
}

/// Writes `disc` to `out`, which is empty; `progress` is told how many bytes of content have been packed.
///
/// # Errors
/// When a sector cannot be read or `out` cannot be written.
pub fn write(disc: &Disc, out: &mut (impl Write + Seek), progress: &dyn Fn(u64)) -> io::Result<()> {
    let content = Content::of(disc);
    let metadata = metadata(&content.metadata);
    out.write_all(&[0; HEADER])?;
    out.write_all(&metadata)?;
    let first = (HEADER + metadata.len()) as u64;
    let (places, raw, end) = write_hunks(&content, first, out, progress)?;
    out.write_all(&map::pack(&places, first, content.hunk_bytes))?;
    let mut protected: Vec<_> = content
        .metadata
        .iter()
        .map(|(tag, text)| (*tag, Sha1::new_with_prefix(text).chain_update([0]).finalize().into()))
        .collect();
    let overall = overall_sha1(raw, &mut protected);
    out.seek(SeekFrom::Start(0))?;
    out.write_all(&header(&content, end, raw, overall))?;
    out.flush()
}

/// Writes the hunks from `first` on. Returns where they are, the SHA-1 of the content, and the offset after them.
fn write_hunks(
    content: &Content<'_>,
    first: u64,
    out: &mut impl Write,
    progress: &dyn Fn(u64),
) -> io::Result<(Vec<Place>, [u8; 20], u64)> {
    let mut places = Vec::new();
    let mut known = HashMap::new();
    let mut hash = Sha1::new();
    let mut left = content.logical;
    let mut end = first;
    let mut take = |packed: io::Result<Packed>| {
        let Packed { packed, hunk, crc, sha1 } = packed?;
        let filled = left.min(hunk.len() as u64);
        hash.update(&hunk[..filled as usize]);
        left -= filled;
        progress(filled);
        let number = places.len() as u32;
        if let Some(&same) = known.get(&sha1) {
            places.push(Place::Same(same));
            return Ok(());
        }
        known.insert(sha1, number);
        let (place, bytes) = match &packed {
            Some((codec, bytes)) => (Place::Packed { codec: *codec, len: bytes.len() as u32, crc }, bytes),
            None => (Place::Stored { crc }, &hunk),
        };
        places.push(place);
        end += bytes.len() as u64;
        out.write_all(bytes)
    };
    ordered(content.hunks(), |(kind, hunk)| pack(kind, hunk), &mut take)?;
    Ok((places, hash.finalize().into(), end))
}

/// The entries, linked.
fn metadata(entries: &[([u8; 4], String)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (number, (tag, text)) in entries.iter().enumerate() {
        // A zero ends each text.
        let len = text.len() + 1;
        let next = HEADER + bytes.len() + 16 + len;
        let next = if number + 1 == entries.len() { 0 } else { next as u64 };
        bytes.extend(tag);
        bytes.extend((u32::from(PROTECTED) << 24 | len as u32).to_be_bytes());
        bytes.extend(next.to_be_bytes());
        bytes.extend(text.as_bytes());
        bytes.push(0);
    }
    bytes
}

fn header(content: &Content<'_>, map: u64, raw: [u8; 20], overall: [u8; 20]) -> Vec<u8> {
    let mut header = b"MComprHD".to_vec();
    header.extend((HEADER as u32).to_be_bytes());
    header.extend(5_u32.to_be_bytes());
    header.extend(codecs(content.is_cd()).into_iter().flatten());
    header.extend([0; 4]);
    header.extend(content.logical.to_be_bytes());
    header.extend(map.to_be_bytes());
    header.extend((HEADER as u64).to_be_bytes());
    header.extend(content.hunk_bytes.to_be_bytes());
    header.extend(content.unit_bytes.to_be_bytes());
    header.extend(raw);
    header.extend(overall);
    // No parent.
    header.extend([0; 20]);
    header
}
