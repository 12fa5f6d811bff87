//! The checksum that some ISO images carry in the application area of their primary volume descriptor, as the program
//! `implantisomd5` writes it: text such as `ISO MD5SUM = …;SKIPSECTORS = 15;…`.
//!
//! The sum is of the volume without its last SKIPSECTORS sectors, with spaces in place of the application area.

use md5::{Digest, Md5};

use crate::cli::hash::hex;
use crate::cli::progress::Progress;
use crate::disc::{BLOCK_SIZE, Disc, Lba, SectorError};

const BLOCK: usize = BLOCK_SIZE as usize;
/// The primary volume descriptor (ECMA-119, 8.4), and in it the volume's size and the application area.
const DESCRIPTOR: Lba = Lba(16);
const SPACE_SIZE: usize = 80;
const APPLICATION: std::ops::Range<usize> = 883..1395;
/// Blocks that are read at once.
const CHUNK: usize = 128;

/// A checksum found in an image.
#[derive(Debug)]
pub struct Implanted {
    md5: String,
    blocks: u32,
}

/// The checksum that the disc carries, if it does.
#[must_use]
pub fn find(disc: &Disc) -> Option<Implanted> {
    let mut block = [0; BLOCK];
    disc.read_block(DESCRIPTOR, &mut block).ok()?;
    if block[..6] != *b"\x01CD001" {
        return None;
    }
    let text = String::from_utf8_lossy(&block[APPLICATION]);
    let field = |name: &str| {
        let mut fields = text.split(';');
        fields.find_map(|field| {
            field.trim().strip_prefix(name)?.trim().strip_prefix('=').map(|value| value.trim().to_owned())
        })
    };
    let md5 = field("ISO MD5SUM").filter(|md5| md5.len() == 32)?;
    let skip = field("SKIPSECTORS").and_then(|skip| skip.parse::<u32>().ok()).unwrap_or(0);
    let size = u32::from_le_bytes(block[SPACE_SIZE..SPACE_SIZE + 4].try_into().ok()?);
    Some(Implanted { md5: md5.to_ascii_lowercase(), blocks: size.checked_sub(skip)? })
}

impl Implanted {
    /// Bytes that it covers.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        u64::from(self.blocks) * u64::from(BLOCK_SIZE)
    }

    /// Whether the disc still has it.
    ///
    /// # Errors
    /// For the first sector that cannot be read.
    pub fn is_right(&self, disc: &Disc, progress: &Progress) -> Result<bool, SectorError> {
        let mut md5 = Md5::new();
        let mut buf = vec![0; CHUNK * BLOCK];
        let mut done = 0;
        while done < self.blocks {
            let blocks = (CHUNK as u32).min(self.blocks - done);
            let chunk = &mut buf[..blocks as usize * BLOCK];
            let lba = Lba(0).plus(done);
            disc.read_blocks(lba, chunk)?;
            if lba <= DESCRIPTOR && DESCRIPTOR < lba.plus(blocks) {
                let start = DESCRIPTOR.since(lba) as usize * BLOCK;
                chunk[start..][APPLICATION].fill(b' ');
            }
            md5.update(&*chunk);
            progress.add(chunk.len() as u64);
            done += blocks;
        }
        Ok(hex(&md5.finalize()) == self.md5)
    }
}
