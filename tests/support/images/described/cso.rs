//! Compressed ISO files (CSO, ZSO), after section 14.1 of the formats' description.

use super::pack;
use super::put::Put;

#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// 0 to 2; of ZSO 1.
    pub version: u8,
    pub zso: bool,
    pub block: usize,
    /// Blocks begin at multiples of two to this power.
    pub shift: u8,
}

/// How a block lies in the file: its bytes and bit 31 of its index.
struct Block {
    bytes: Vec<u8>,
    flag: bool,
}

pub fn file(data: &[u8], options: Options) -> Vec<u8> {
    let blocks: Vec<Block> =
        (0..).zip(data.chunks(options.block)).map(|(at, block)| pack_block(at, block, options)).collect();
    let alignment = 1 << options.shift;
    let mut file = if options.zso { b"ZISO".to_vec() } else { b"CISO".to_vec() };
    // Writers of the first versions leave the size of the header out.
    file.le32(if options.version == 2 || options.zso { 24 } else { 0 });
    file.le64(data.len() as u64);
    file.le32(options.block as u32);
    file.put(&[options.version, options.shift, 0, 0]);
    let mut at = (24 + 4 * (blocks.len() + 1)).next_multiple_of(alignment);
    let mut body = Vec::new();
    for block in &blocks {
        file.le32((at >> options.shift) as u32 | u32::from(block.flag) << 31);
        body.padded(&block.bytes, block.bytes.len().next_multiple_of(alignment));
        at += block.bytes.len().next_multiple_of(alignment);
    }
    file.le32((at >> options.shift) as u32);
    file.resize(file.len().next_multiple_of(alignment), 0);
    file.extend(body);
    file
}

fn pack_block(at: usize, block: &[u8], options: Options) -> Block {
    let stored = |size: usize, flag| {
        let mut bytes = block.to_vec();
        bytes.resize(size, 0);
        Block { bytes, flag }
    };
    let version_2 = options.version == 2 && !options.zso;
    // The second version chooses for every block.
    let lz4 = options.zso || version_2 && at % 2 == 1;
    let bytes = if lz4 { lz4_flex::block::compress(block) } else { pack::deflate(block) };
    // Padding does not make a block one that is as long as a stored one.
    let shorter = bytes.len().next_multiple_of(1 << options.shift) < options.block;
    match (shorter, version_2) {
        (true, true) => Block { bytes, flag: lz4 },
        (true, false) => Block { bytes, flag: false },
        (false, true) => stored(options.block, false),
        (false, false) => stored(block.len(), true),
    }
}
