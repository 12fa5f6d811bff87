//! What libraries write: deflate, zlib, bzip2 and LZMA streams.

use std::io::Write;

use bzip2::write::BzEncoder;
use flate2::Compression;
use flate2::write::{DeflateEncoder, ZlibEncoder};
use lzma_rust2::filter::bcj::BcjWriter;
use lzma_rust2::{LzmaOptions, LzmaWriter};

pub fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = BzEncoder::new(Vec::new(), bzip2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn lzma_options() -> LzmaOptions {
    LzmaOptions { dict_size: 1 << 16, lc: 3, lp: 0, pb: 2, ..LzmaOptions::default() }
}

/// A raw stream without a mark at its end, after a filter for x86 code if `filter`.
pub fn lzma(bytes: &[u8], filter: bool) -> Vec<u8> {
    let bytes = if filter { x86(bytes) } else { bytes.to_vec() };
    let mut encoder = LzmaWriter::new_no_header(Vec::new(), &lzma_options(), false).unwrap();
    encoder.write_all(&bytes).unwrap();
    encoder.finish().unwrap()
}

/// The five bytes that tell how [`lzma`] is set.
pub fn lzma_properties() -> Vec<u8> {
    let options = lzma_options();
    let first = ((options.pb * 5 + options.lp) * 9 + options.lc) as u8;
    [&[first][..], &options.dict_size.to_le_bytes()].concat()
}

fn x86(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = BcjWriter::new_x86(Vec::new(), 0);
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
