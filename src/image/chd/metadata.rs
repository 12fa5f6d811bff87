//! The metadata of a CHD (formats.md, 13.5): a list of tagged texts.

use std::io;

use super::header::cut_off;
use crate::container::{ImageError, ImageErrorKind};
use crate::source::ByteSource;

/// Entries that are looked at: 99 tracks, and what tools add.
const MOST_ENTRIES: usize = 1000;
/// Bytes of an entry that is a track or a table of tracks.
const MOST_BYTES: u32 = 8192;

/// One entry.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    pub tag: [u8; 4],
    pub flags: u8,
    /// Where its data lie.
    pub at: u64,
    pub len: u32,
}

/// The list that begins at `at`.
pub fn entries(source: &dyn ByteSource, at: u64) -> Result<Vec<Entry>, ImageError> {
    let mut found = Vec::new();
    let (mut at, mut left) = (at, source.len());
    while at != 0 {
        if found.len() == MOST_ENTRIES {
            let message = format!("more than {MOST_ENTRIES} entries of metadata: the file is damaged");
            return Err(ImageError::new(ImageErrorKind::Limit, message).at(at));
        }
        let mut header = [0; 16];
        source.read_exact_at(&mut header, at).map_err(|error| cut_off(error, "metadata", at))?;
        let [t0, t1, t2, t3, flags, l0, l1, l2, next @ ..] = header;
        let len = u32::from_be_bytes([0, l0, l1, l2]);
        // Whoever verifies the file reads them all.
        left = left.checked_sub(16 + u64::from(len)).ok_or_else(|| {
            let message = "the metadata are longer than the file: it is damaged";
            ImageError::new(ImageErrorKind::Limit, message).at(at)
        })?;
        found.push(Entry { tag: [t0, t1, t2, t3], flags, at: at + 16, len });
        at = u64::from_be_bytes(next);
    }
    Ok(found)
}

impl Entry {
    /// The data.
    pub fn data(&self, source: &dyn ByteSource) -> Result<Vec<u8>, ImageError> {
        if self.len > MOST_BYTES {
            let message = format!("a track is described by {} bytes: the file is damaged", self.len);
            return Err(ImageError::new(ImageErrorKind::Limit, message).at(self.at));
        }
        let mut data = vec![0; self.len as usize];
        source.read_exact_at(&mut data, self.at).map_err(|error| cut_off(error, "metadata", self.at))?;
        Ok(data)
    }
}

/// A track as metadata describe it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackText {
    pub number: u8,
    pub kind: String,
    pub subtype: String,
    /// Frames that are stored, without those that fill up the last four.
    pub frames: u32,
    /// How many of them at the end are only the distance to the next track (GD-ROM).
    pub pad: u32,
    pub pregap: u32,
    /// Whether the pre-gap is among the stored frames.
    pub pregap_is_stored: bool,
    pub postgap: u32,
    /// Samples have their low byte first.
    pub little_endian: bool,
    /// Frames that follow in the file and belong to no track.
    pub filling: u32,
}

/// How many frames follow `frames` up to a multiple of four.
fn filling(frames: u32) -> u32 {
    frames.wrapping_neg() % 4
}

impl TrackText {
    /// From the text of `CHTR`, `CHT2`, `CHGD` or `CHGT`: names and values with a colon between.
    pub fn parse(data: &[u8], little_endian: bool) -> Option<Self> {
        let text = std::str::from_utf8(data).ok()?.trim_end_matches('\0');
        let value = |name: &str| {
            text.split_ascii_whitespace()
                .find_map(|word| word.split_once(':').filter(|(known, _)| *known == name))
                .map(|pair| pair.1)
        };
        let number = |name: &str| value(name).map_or(Some(0), |text| text.parse().ok());
        let frames = value("FRAMES")?.parse().ok()?;
        Some(Self {
            number: value("TRACK")?.parse().ok()?,
            kind: value("TYPE")?.to_owned(),
            subtype: value("SUBTYPE").unwrap_or("NONE").to_owned(),
            frames,
            pad: number("PAD")?,
            pregap: number("PREGAP")?,
            pregap_is_stored: value("PGTYPE").is_some_and(|kind| kind.starts_with('V')),
            postgap: number("POSTGAP")?,
            little_endian,
            filling: filling(frames),
        })
    }

    /// From the table `CHCD`, whose byte order its first number tells.
    pub fn parse_table(data: &[u8]) -> Option<Vec<Self>> {
        let (words, _) = data.as_chunks::<4>();
        let (&count, words) = words.split_first()?;
        let to_number = if u32::from_be_bytes(count) <= 99 { u32::from_be_bytes } else { u32::from_le_bytes };
        let count = to_number(count);
        if !(1..=99).contains(&count) {
            return None;
        }
        let (tracks, _) = words.as_chunks::<6>();
        let tracks = tracks.get(..count as usize)?;
        let parse = |(number, words): (u8, &[[u8; 4]; 6])| {
            let [kind, subtype, _, _, frames, filling] = words.map(to_number);
            const KINDS: [&str; 8] =
                ["MODE1", "MODE1_RAW", "MODE2", "MODE2_FORM1", "MODE2_FORM2", "MODE2_FORM_MIX", "MODE2_RAW", "AUDIO"];
            const SUBTYPES: [&str; 3] = ["RW", "RW_RAW", "NONE"];
            Some(Self {
                number,
                kind: (*KINDS.get(kind as usize)?).to_owned(),
                subtype: (*SUBTYPES.get(subtype as usize)?).to_owned(),
                frames,
                pad: 0,
                pregap: 0,
                pregap_is_stored: false,
                postgap: 0,
                little_endian: false,
                filling,
            })
        };
        (1..=99).zip(tracks).map(parse).collect()
    }
}

/// Every track that `entries` describe, in their order; none for a file that is no CD.
pub fn tracks(source: &dyn ByteSource, entries: &[Entry]) -> Result<Vec<TrackText>, ImageError> {
    let mut tracks = Vec::new();
    for entry in entries {
        let broken = || ImageError::invalid("the description of a track cannot be read").at(entry.at);
        match &entry.tag {
            b"CHTR" | b"CHT2" | b"CHGD" | b"CHGT" => {
                if tracks.len() == 99 {
                    return Err(ImageError::new(ImageErrorKind::Limit, "the file describes more than 99 tracks"));
                }
                let track = TrackText::parse(&entry.data(source)?, &entry.tag == b"CHGT").ok_or_else(broken)?;
                tracks.push(track);
            }
            b"CHCD" if tracks.is_empty() => {
                tracks = TrackText::parse_table(&entry.data(source)?).ok_or_else(broken)?;
            }
            _ => {}
        }
    }
    Ok(tracks)
}

/// SHA-1 of the content's SHA-1 `raw` and of all metadata that are to be protected, as the header keeps it.
pub fn overall_sha1(raw: [u8; 20], protected: &mut Vec<([u8; 4], [u8; 20])>) -> [u8; 20] {
    use sha1::{Digest, Sha1};
    protected.sort_unstable();
    let mut hash = Sha1::new_with_prefix(raw);
    for (tag, sum) in protected {
        hash.update(tag);
        hash.update(sum);
    }
    hash.finalize().into()
}

/// Flag of an entry that [`overall_sha1`] protects.
pub const PROTECTED: u8 = 1;

/// Tag and SHA-1 of every protected entry.
pub fn protected(source: &dyn ByteSource, entries: &[Entry]) -> io::Result<Vec<([u8; 4], [u8; 20])>> {
    use sha1::{Digest, Sha1};
    let sum = |entry: &Entry| {
        let mut data = vec![0; entry.len as usize];
        source.read_exact_at(&mut data, entry.at)?;
        Ok((entry.tag, Sha1::digest(&data).into()))
    };
    entries.iter().filter(|entry| entry.flags & PROTECTED != 0).map(sum).collect()
}
