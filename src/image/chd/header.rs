//! The headers of versions 1 to 5 (formats.md, 13).

use std::io;

use super::codec::Codec;
use crate::container::{ImageError, ImageErrorKind};
use crate::source::ByteSource;

pub const MAGIC: &[u8] = b"MComprHD";

/// What a header says, in the words of version 5.
#[derive(Debug)]
pub struct Header {
    pub version: u32,
    /// Bytes of the header, after which maps of versions 1 to 4 lie.
    pub len: u32,
    /// Bytes of the content.
    pub logical: u64,
    pub hunk_bytes: u32,
    pub hunks: u32,
    /// Bytes of the units that parents are referred to by; nothing before version 5.
    pub unit_bytes: Option<u32>,
    /// Where metadata begin; 0 for none.
    pub metadata: u64,
    pub packing: Packing,
    /// What the content must hash to.
    pub sums: Sums,
    /// The file that holds what this one does not.
    pub parent: Option<Sum>,
}

/// How hunks are found and packed.
#[derive(Debug, Clone, Copy)]
pub enum Packing {
    /// Version 5, none packed; the map is here.
    Plain { map: u64 },
    /// Version 5.
    Packed { map: u64, codecs: [Option<Codec>; 4] },
    /// Versions 1 and 2, 3 and 4.
    Old,
}

/// A checksum that names a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sum {
    Md5([u8; 16]),
    Sha1([u8; 20]),
}

/// The checksums of a header.
#[derive(Debug, Default)]
pub struct Sums {
    /// Of the content.
    pub raw: Option<Sum>,
    /// Of that and of the metadata, since version 4.
    pub overall: Option<[u8; 20]>,
    /// By which a child may refer to this file.
    pub names: Vec<Sum>,
}

/// Bytes of all media that are read (formats.md, C), with room for subchannel.
const MOST_BYTES: u64 = 64 << 20 << 12;
/// Hunks in a packed map: those of the largest medium, one for each block.
const MOST_HUNKS: u64 = 1 << 26;
/// Hunk sizes.
const LARGEST: u32 = 16 << 20;

impl Header {
    /// The header of `source`.
    pub fn read(source: &dyn ByteSource) -> Result<Self, ImageError> {
        let mut bytes = [0; 124];
        let there = source.len().min(bytes.len() as u64) as usize;
        source.read_exact_at(&mut bytes[..there], 0).map_err(ImageError::io)?;
        let fields = Fields(&bytes);
        let (len, version) = (fields.u32(8), fields.u32(12));
        let expected = match version {
            1 => 76,
            2 => 80,
            3 => 120,
            4 => 108,
            5 => 124,
            _ => return Err(ImageError::unsupported(format!("CHD version {version} is not read")).at(12)),
        };
        if len != expected || there < expected as usize {
            return Err(ImageError::invalid("the file ends inside its header, or the header is damaged").at(8));
        }
        let header = match version {
            1 | 2 => Self::read_1_2(&fields)?,
            3 | 4 => Self::read_3_4(&fields)?,
            _ => Self::read_5(&fields)?,
        };
        header.check()
    }

    fn read_1_2(fields: &Fields<'_>) -> Result<Self, ImageError> {
        fields.old_compression()?;
        let version = fields.u32(12);
        let sector = if version == 2 { fields.u32(76) } else { 512 };
        let hunk_bytes = fields.u32(24).checked_mul(sector).ok_or_else(|| hunks_are_wrong(u32::MAX))?;
        let sectors = [32, 36, 40].map(|at| u64::from(fields.u32(at)));
        let geometry = sectors.iter().try_fold(u64::from(sector), |product, &number| product.checked_mul(number));
        let hunks = fields.u32(28);
        let whole = u64::from(hunks) * u64::from(hunk_bytes);
        // A geometry that does not fill the hunks is a hard disk's that somebody cut; one that needs more is a fault.
        let logical = geometry.filter(|&bytes| bytes > 0 && bytes <= whole).unwrap_or(whole);
        Ok(Self {
            version,
            len: fields.u32(8),
            logical,
            hunk_bytes,
            hunks,
            unit_bytes: (version == 2).then_some(sector),
            metadata: 0,
            packing: Packing::Old,
            sums: Sums { raw: fields.md5(44), overall: None, names: fields.md5(44).into_iter().collect() },
            parent: fields.old_parent(|| fields.md5(60)),
        })
    }

    fn read_3_4(fields: &Fields<'_>) -> Result<Self, ImageError> {
        fields.old_compression()?;
        let version = fields.u32(12);
        let (sums, parent, hunk_bytes) = if version == 3 {
            let (md5, sha1) = (fields.md5(44), fields.sha1(80));
            let sums = Sums { raw: sha1.or(md5), overall: None, names: md5.into_iter().chain(sha1).collect() };
            (sums, fields.sha1(100).or_else(|| fields.md5(60)), fields.u32(76))
        } else {
            let overall = fields.sha1(48);
            let sums = Sums { raw: fields.sha1(88), overall: digest(overall), names: overall.into_iter().collect() };
            (sums, fields.sha1(68), fields.u32(44))
        };
        Ok(Self {
            version,
            len: fields.u32(8),
            logical: fields.u64(28),
            hunk_bytes,
            hunks: fields.u32(24),
            unit_bytes: None,
            metadata: fields.u64(36),
            packing: Packing::Old,
            sums,
            parent: fields.old_parent(|| parent),
        })
    }

    fn read_5(fields: &Fields<'_>) -> Result<Self, ImageError> {
        let map = fields.u64(40);
        let tags = [16, 20, 24, 28].map(|at| fields.array::<4>(at));
        let packing = if tags[0] == [0; 4] {
            Packing::Plain { map }
        } else {
            let mut codecs = [None; 4];
            for (codec, tag) in codecs.iter_mut().zip(tags).filter(|(_, tag)| *tag != [0; 4]) {
                let name = || String::from_utf8_lossy(&tag).into_owned();
                let unknown = || ImageError::unsupported(format!("the CHD codec {:?} is not read", name())).at(16);
                let laserdisc = || ImageError::unsupported("this CHD holds a laserdisc, not an optical disc of data");
                *codec = Some(Codec::of(tag).ok_or_else(|| if &tag == b"avhu" { laserdisc() } else { unknown() })?);
            }
            Packing::Packed { map, codecs }
        };
        let (hunk_bytes, unit_bytes) = (fields.u32(56), fields.u32(60));
        if unit_bytes == 0 || hunk_bytes % unit_bytes != 0 {
            let message = format!("hunks of {hunk_bytes} bytes in units of {unit_bytes}: the header is damaged");
            return Err(ImageError::invalid(message).at(56));
        }
        let logical = fields.u64(32);
        // A packed map of a few bytes can describe any number of hunks, and each is looked at.
        if matches!(packing, Packing::Packed { .. }) && logical / u64::from(hunk_bytes.max(1)) > MOST_HUNKS {
            let message = format!("{logical} bytes in hunks of {hunk_bytes}: no optical disc needs so many hunks");
            return Err(ImageError::new(ImageErrorKind::Limit, message).at(56));
        }
        let hunks = logical
            .checked_div(u64::from(hunk_bytes))
            .map_or(0, |whole| whole + u64::from(whole * u64::from(hunk_bytes) < logical));
        let overall = fields.sha1(84);
        Ok(Self {
            version: 5,
            len: fields.u32(8),
            logical,
            hunk_bytes,
            hunks: u32::try_from(hunks).unwrap_or(u32::MAX),
            unit_bytes: Some(unit_bytes),
            metadata: fields.u64(48),
            packing,
            sums: Sums { raw: fields.sha1(64), overall: digest(overall), names: overall.into_iter().collect() },
            parent: fields.sha1(104),
        })
    }

    /// What no version may say.
    fn check(self) -> Result<Self, ImageError> {
        let Self { logical, hunk_bytes, hunks, .. } = self;
        if !(16..=LARGEST).contains(&hunk_bytes) {
            return Err(hunks_are_wrong(hunk_bytes));
        }
        if logical == 0 || hunks == 0 {
            return Err(ImageError::invalid("the header says that the image is empty"));
        }
        if logical > MOST_BYTES {
            let message = format!("{logical} bytes: no optical disc holds so many");
            return Err(ImageError::new(ImageErrorKind::Limit, message));
        }
        if logical > u64::from(hunks) * u64::from(hunk_bytes) {
            let message = format!("{hunks} hunks of {hunk_bytes} bytes do not hold {logical} bytes");
            return Err(ImageError::invalid(message));
        }
        Ok(self)
    }
}

fn hunks_are_wrong(bytes: u32) -> ImageError {
    let message = format!("hunks of {bytes} bytes: the header is damaged (16 bytes to {LARGEST} are read)");
    ImageError::new(ImageErrorKind::Limit, message)
}

fn digest(sum: Option<Sum>) -> Option<[u8; 20]> {
    match sum {
        Some(Sum::Sha1(digest)) => Some(digest),
        _ => None,
    }
}

struct Fields<'a>(&'a [u8; 124]);

impl Fields<'_> {
    /// Zeros past the end: offsets are constants of this file, and the header's length has been checked.
    fn array<const N: usize>(&self, at: usize) -> [u8; N] {
        self.0.get(at..at + N).and_then(|bytes| bytes.try_into().ok()).unwrap_or([0; N])
    }

    fn u32(&self, at: usize) -> u32 {
        u32::from_be_bytes(self.array(at))
    }

    fn u64(&self, at: usize) -> u64 {
        u64::from_be_bytes(self.array(at))
    }

    /// Zeros stand for none.
    fn sha1(&self, at: usize) -> Option<Sum> {
        Some(self.array(at)).filter(|sum| *sum != [0; 20]).map(Sum::Sha1)
    }

    fn md5(&self, at: usize) -> Option<Sum> {
        Some(self.array(at)).filter(|sum| *sum != [0; 16]).map(Sum::Md5)
    }

    fn old_compression(&self) -> Result<(), ImageError> {
        match self.u32(20) {
            0..=2 => Ok(()),
            3 => Err(ImageError::unsupported("this CHD holds a laserdisc, not an optical disc of data")),
            other => Err(ImageError::unsupported(format!("CHD compression {other} is not read")).at(20)),
        }
    }

    /// Bit 0 of the flags says whether there is a parent; its checksum may be left over.
    fn old_parent(&self, sum: impl FnOnce() -> Option<Sum>) -> Option<Sum> {
        if self.u32(16) & 1 != 0 { sum() } else { None }
    }
}

/// An error of reading the map or the metadata, with what it means.
pub fn cut_off(error: io::Error, what: &str, at: u64) -> ImageError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            ImageError::invalid(format!("the {what} lies past the end of the file: the file is cut off")).at(at)
        }
        io::ErrorKind::InvalidData => ImageError::invalid(format!("the {what} is damaged: {error}")).at(at),
        _ => ImageError::io(error).at(at),
    }
}
