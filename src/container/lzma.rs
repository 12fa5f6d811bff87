//! LZMA without a container, for blocks whose decoded length is known.

use std::io::{self, Read};

use lzma_rust2::LzmaReader;
use lzma_rust2::filter::bcj::BcjReader;

use super::damaged;

/// What a container says of its LZMA streams.
#[derive(Debug, Clone, Copy)]
pub struct Lzma {
    /// Literal context, literal position and position bits in one byte.
    pub properties: u8,
    /// Bytes.
    pub dictionary: u32,
    /// The filter for x86 code, which begins anew with each stream.
    pub x86: bool,
}

impl Lzma {
    /// Unpacks a stream of `whole` bytes as far as `out` goes. Of the last of an image nobody says whether it was packed as long as
    /// the others, which matters to the filter.
    ///
    /// # Errors
    /// `InvalidData` when the stream is damaged, or shorter than `out`.
    pub fn decode(&self, packed: &[u8], whole: usize, out: &mut [u8]) -> io::Result<()> {
        if self.x86 && out.len() < whole {
            let mut bytes = vec![0; whole];
            if self.fill(packed, &mut bytes).is_ok() {
                out.copy_from_slice(&bytes[..out.len()]);
                return Ok(());
            }
        }
        self.fill(packed, out)
    }

    fn fill(&self, packed: &[u8], out: &mut [u8]) -> io::Result<()> {
        let len = out.len() as u64;
        let broken = |_| damaged("an LZMA stream is damaged");
        // Nothing is further back than the block is long.
        let dictionary = self.dictionary.min(len.next_power_of_two() as u32).max(4096);
        let mut reader = LzmaReader::new_with_props(packed, len, self.properties, dictionary, None).map_err(broken)?;
        if self.x86 {
            BcjReader::new_x86(reader, 0).read_exact(out).map_err(broken)
        } else {
            reader.read_exact(out).map_err(broken)
        }
    }
}
