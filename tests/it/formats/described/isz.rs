//! ISZ.

use super::check_volume;
use crate::support::images::described::blocks::volume;
use crate::support::images::described::isz::{Cipher, Names, Options, Packed, files};

const PLAIN: Options = Options {
    header: 64,
    chunk: 0x4000,
    pointer: Some(3),
    packed: Packed::ByTurns,
    cipher: Cipher::None,
    split: None,
    footer: false,
};

fn check(data: &[u8], options: Options) {
    check_volume("isz", &format!("{options:?}"), data, &files(data, options));
}

#[test]
fn headers_pointers_and_chunks() {
    let data = volume(141, 16);
    check(&data, PLAIN);
    check(&data, Options { header: 48, ..PLAIN });
    check(&data, Options { pointer: Some(4), chunk: 0x8000, ..PLAIN });
    check(&data, Options { pointer: Some(2), chunk: 0x1000, ..PLAIN });
    check(&data, Options { pointer: None, ..PLAIN });
    check(&data, Options { footer: true, ..PLAIN });
    check(&data, Options { packed: Packed::Zlib, ..PLAIN });
    check(&data, Options { packed: Packed::Bzip2, ..PLAIN });
}

#[test]
fn ciphers() {
    let data = volume(141, 16);
    for cipher in [Cipher::Xor, Cipher::Aes128, Cipher::Aes192, Cipher::Aes256] {
        check(&data, Options { cipher, ..PLAIN });
        check(&data, Options { cipher, split: Some((50_000, Names::Suffix, true)), ..PLAIN });
    }
}

#[test]
fn many_files() {
    let data = volume(141, 16);
    for names in [Names::Suffix, Names::Part2, Names::Part3] {
        for table in [true, false] {
            for size in [20_000, 50_001] {
                check(&data, Options { split: Some((size, names, table)), ..PLAIN });
            }
        }
    }
    // Chunks end where files end.
    let stored = Options { pointer: None, header: 48, split: Some((48 + 0x8000, Names::Suffix, false)), ..PLAIN };
    check(&data, stored);
}
