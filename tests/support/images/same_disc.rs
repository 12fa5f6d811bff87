//! One disc as an image of every format and in every container, each by another program or by a builder of another hand than
//! the reader's.

use std::fs;
use std::path::{Path, PathBuf};

use super::described::blocks::volume;
use super::described::source_disc::SourceDisc;
use super::described::source_sector::RAW;
use super::described::{
    b6t, bwt, c2d, ccd, cdi, cif, cso, daa, dax, dmg, ecm, isz, jso, mds, mdx, nrg, readcd, uif, xcdroast,
};
use super::macbinary::macbinary;
use crate::support::host::run;

/// Puts an image of the disc with these blocks into an empty folder; gives the file to open.
pub type Maker = fn(&[u8], &Path) -> PathBuf;

/// A maker for each format and container, by its id.
pub const MAKERS: &[(&str, Maker)] = &[
    ("iso", |blocks, folder| plain(blocks, folder)),
    ("raw", |blocks, folder| put(folder, &[("disc.img".to_owned(), raw(blocks))])),
    ("cue", sheet),
    ("toc", |blocks, folder| {
        let text = b"CD_ROM\nTRACK MODE1_RAW\nDATAFILE \"disc.bin\"\n".to_vec();
        put(folder, &[("disc.toc".to_owned(), text), ("disc.bin".to_owned(), raw(blocks))])
    }),
    ("chd", |blocks, folder| {
        let (from, to) = (sheet(blocks, folder), folder.join("disc.chd"));
        run("chdman", &["createcd", "-i", from.to_str().unwrap(), "-o", to.to_str().unwrap()]);
        to
    }),
    ("ccd", |blocks, folder| put(folder, &ccd::files(&cd(blocks), ccd::Options::default()))),
    ("nrg", |blocks, folder| put(folder, &nrg::files(&cd(blocks), nrg::Options::default()))),
    ("cdi", |blocks, folder| put(folder, &cdi::files(&cd(blocks), cdi::Version::V35, cdi::Stored::Raw))),
    ("cif", |blocks, folder| put(folder, &cif::files(&cd(blocks), false))),
    ("c2d", |blocks, folder| {
        put(folder, &c2d::files(&cd(blocks), "Roxio Image File Format 3.0", c2d::Stored::UserData))
    }),
    ("mds", |blocks, folder| put(folder, &mds::files(&cd(blocks), mds::Options::default()))),
    ("mdx", |blocks, folder| {
        put(folder, &mdx::files(&cd(blocks), mdx::Options { compressed: true, ..mdx::Options::default() }))
    }),
    ("b6t", |blocks, folder| put(folder, &b6t::files(&cd(blocks), b6t::Options::default()))),
    ("bwt", |blocks, folder| put(folder, &bwt::files(&cd(blocks), bwt::Options::default()))),
    ("readcd", |blocks, folder| put(folder, &readcd::files(&cd(blocks), false))),
    ("xcdroast", |blocks, folder| put(folder, &xcdroast::files(&cd(blocks), xcdroast::Options::default()))),
    ("cso", |blocks, folder| {
        let options = cso::Options { version: 1, zso: false, block: 2048, shift: 0 };
        put(folder, &[("disc.cso".to_owned(), cso::file(blocks, options))])
    }),
    ("zso", |blocks, folder| {
        let options = cso::Options { version: 1, zso: true, block: 2048, shift: 0 };
        put(folder, &[("disc.zso".to_owned(), cso::file(blocks, options))])
    }),
    ("dax", |blocks, folder| put(folder, &[("disc.dax".to_owned(), dax::file(blocks, 1))])),
    ("jso", |blocks, folder| put(folder, &[("disc.jso".to_owned(), jso::file(blocks, 2048, jso::Method::Lzo))])),
    ("isz", |blocks, folder| {
        let (split, cipher) = (Some((200_000, isz::Names::Suffix, true)), isz::Cipher::None);
        let options = isz::Options {
            header: 64,
            chunk: 0x2_0000,
            pointer: Some(3),
            packed: isz::Packed::ByTurns,
            cipher,
            split,
            footer: false,
        };
        put(folder, &isz::files(blocks, options))
    }),
    ("dmg", |blocks, folder| put(folder, &dmg::files(blocks, dmg::PLAIN))),
    ("daa", |blocks, folder| {
        let packing = daa::Packing::Lzma(true);
        put(folder, &daa::files(blocks, daa::Options { packing, bits_hidden: true, ..daa::Options::default() }))
    }),
    ("gbi", |blocks, folder| {
        let split = Some((300_000, daa::Names::Part2));
        put(folder, &daa::files(blocks, daa::Options { kind: daa::Kind::Gbi, split, ..daa::Options::default() }))
    }),
    ("uif", |blocks, folder| {
        let options = uif::Options { cipher: uif::Cipher::Stacked(0xFF, 3), ..uif::PLAIN };
        put(folder, &[("disc.uif".to_owned(), uif::file(blocks, options))])
    }),
    ("ecm", |blocks, folder| {
        let file = ecm::file(&raw(blocks), &[ecm::Record::Mode1(blocks.len() / 2048)]);
        put(folder, &[("disc.bin.ecm".to_owned(), file)])
    }),
    ("macbinary", |blocks, folder| put(folder, &[("disc.bin".to_owned(), macbinary(blocks, b"resources"))])),
    ("split", |blocks, folder| {
        let from = plain(blocks, folder);
        let pieces = format!("{}.", from.display());
        run("split", &["--bytes=300000", "--suffix-length=3", "--numeric-suffixes=1", from.to_str().unwrap(), &pieces]);
        fs::remove_file(from).unwrap();
        folder.join("disc.iso.001")
    }),
    ("gzip", |blocks, folder| packed(blocks, folder, "gzip", "gz")),
    ("xz", |blocks, folder| packed(blocks, folder, "xz", "xz")),
    ("zstd", |blocks, folder| packed(blocks, folder, "zstd", "zst")),
    ("bzip2", |blocks, folder| packed(blocks, folder, "bzip2", "bz2")),
];

/// The blocks of the disc for the maker `id`, which no other has.
pub fn blocks(id: &str) -> Vec<u8> {
    let mut blocks = volume(400, 16);
    blocks[350 * 2048..][..id.len()].copy_from_slice(id.as_bytes());
    blocks
}

fn cd(blocks: &[u8]) -> SourceDisc {
    SourceDisc::of_blocks(blocks)
}

fn raw(blocks: &[u8]) -> Vec<u8> {
    cd(blocks).tracks[0].stored(0, 0..RAW, |_| Vec::new())
}

/// Writes `files`; gives the first.
fn put(folder: &Path, files: &[(String, Vec<u8>)]) -> PathBuf {
    for (name, bytes) in files {
        fs::write(folder.join(name), bytes).unwrap();
    }
    folder.join(&files[0].0)
}

fn plain(blocks: &[u8], folder: &Path) -> PathBuf {
    put(folder, &[("disc.iso".to_owned(), blocks.to_vec())])
}

fn sheet(blocks: &[u8], folder: &Path) -> PathBuf {
    let text = b"FILE \"disc.bin\" BINARY\n  TRACK 01 MODE1/2352\n    INDEX 01 00:00:00\n".to_vec();
    put(folder, &[("disc.cue".to_owned(), text), ("disc.bin".to_owned(), raw(blocks))])
}

/// What `program` makes of the plain image.
fn packed(blocks: &[u8], folder: &Path, program: &str, ending: &str) -> PathBuf {
    let from = plain(blocks, folder);
    run(program, &[from.to_str().unwrap()]);
    let _ = fs::remove_file(&from);
    folder.join(format!("disc.iso.{ending}"))
}
