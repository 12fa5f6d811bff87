//! CSO, ZSO, DAX and JSO.

use super::check_volume;
use crate::support::images::described::blocks::volume;
use crate::support::images::described::jso::Method;
use crate::support::images::described::{cso, dax, jso};

#[test]
fn cso_and_zso() {
    for (version, zso) in [(0, false), (1, false), (2, false), (1, true)] {
        let id = if zso { "zso" } else { "cso" };
        // The last block of the larger sizes is shorter than the others.
        for (block, shift) in [(2048, 0), (2048, 5), (8192, 2), (0x8000, 11)] {
            let data = volume(91, (block / 1024) as u32);
            let options = cso::Options { version, zso, block, shift };
            let file = cso::file(&data, options);
            check_volume(id, &format!("{options:?}"), &data, &vec![("disc.cso".to_owned(), file)]);
        }
    }
}

#[test]
fn dax_of_both_versions() {
    for version in [0, 1] {
        for blocks in [88, 91] {
            let data = volume(blocks, 8);
            let files = vec![("disc.dax".to_owned(), dax::file(&data, version))];
            check_volume("dax", &format!("version {version}, {blocks} blocks"), &data, &files);
        }
    }
}

#[test]
fn jso_of_both_methods() {
    for method in [Method::Lzo, Method::Zlib] {
        for block in [2048, 8192] {
            let data = volume(91, 8);
            let files = vec![("disc.jso".to_owned(), jso::file(&data, block, method))];
            check_volume("jso", &format!("{method:?}, {block}"), &data, &files);
        }
    }
}
