//! JSO, after section 14.3 of the formats' description.

use md5::{Digest, Md5};

use super::put::Put;
use super::{lzo, pack};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Lzo = 0,
    Zlib = 1,
}

pub fn file(data: &[u8], block: usize, method: Method) -> Vec<u8> {
    let blocks: Vec<Vec<u8>> = data.chunks(block).map(|bytes| pack_block(bytes, block, method)).collect();
    let mut file = b"JISO\x03\x01".to_vec();
    file.le16(block as u16);
    file.put(&[0, 0, method as u8, 0]);
    file.le32(data.len() as u32);
    file.put(&Md5::digest(data));
    file.le32(48);
    file.zeros(12);
    let mut at = 48 + 4 * (blocks.len() + 1);
    for block in &blocks {
        file.le32(at as u32);
        at += block.len();
    }
    file.le32(at as u32);
    blocks.iter().for_each(|block| file.put(block));
    file
}

/// A block that does not become shorter is stored, whole.
fn pack_block(bytes: &[u8], block: usize, method: Method) -> Vec<u8> {
    let packed = match method {
        Method::Lzo => lzo::compress(bytes),
        Method::Zlib => pack::zlib(bytes),
    };
    if packed.len() < block {
        return packed;
    }
    let mut stored = bytes.to_vec();
    stored.resize(block, 0);
    stored
}
