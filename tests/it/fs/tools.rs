//! Discs that other programs wrote, and other programs reading them. A missing program fails the test: the package is named
//! in `qemu-scripts/lib/packages`.

use std::collections::BTreeMap;
use std::fs as std_fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use spindle::disc::Lba;
use spindle::fs::{self, Kind, Namespace, eltorito, udf};
use spindle::image::{OpenOptions, open_path};
use tempfile::TempDir;

use super::{Collected, tree};

/// Runs a program; gives what it printed on both outputs.
fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).env("LC_ALL", "C.UTF-8").output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{program} {arguments:?}: {text}");
    text
}

/// Path -> contents; folders have none, links have their target.
type Tree = BTreeMap<String, Option<Vec<u8>>>;

fn on_disk(root: &Path) -> Tree {
    let mut found = Tree::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std_fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            let kind = std_fs::symlink_metadata(&path).unwrap();
            let contents = if kind.is_dir() {
                folders.push(path);
                None
            } else if kind.is_symlink() {
                Some(std_fs::read_link(&path).unwrap().to_str().unwrap().as_bytes().to_vec())
            } else {
                Some(std_fs::read(&path).unwrap())
            };
            found.insert(name, contents);
        }
    }
    found
}

fn on_disc(image: &Path, namespace: Namespace) -> Tree {
    let opened = open_path(image, &OpenOptions::default()).unwrap();
    let fs = fs::open(&opened.disc, Some(namespace)).unwrap();
    let (nodes, problems) = tree(&*fs);
    assert_eq!(problems, [""; 0]);
    let contents = |node: &fs::Node| match &node.kind {
        Kind::Directory => None,
        Kind::Symlink(target) => Some(target.clone()),
        _ => {
            let mut out = Collected::default();
            fs::copy(&opened.disc, &fs.pieces(node).unwrap(), &mut out).unwrap();
            Some(out.0)
        }
    };
    nodes.iter().map(|(path, node)| (path.clone(), contents(node))).collect()
}

fn assert_same(found: &Tree, expected: &Tree, what: &str) {
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "{what}");
    for (path, contents) in expected {
        assert!(found[path] == *contents, "{what}: {path} differs");
    }
}

/// A tree with what file systems find hard: depth, long and foreign names, links, sizes around the block size, many files.
fn source(folder: &Path) {
    let deep = folder.join("a/b/c/d/e/f/g/h/i/j");
    std_fs::create_dir_all(&deep).unwrap();
    std_fs::create_dir(folder.join("many")).unwrap();
    std_fs::write(deep.join("deep.txt"), "deep").unwrap();
    for size in [0, 1, 2047, 2048, 2049, 300_000] {
        let bytes: Vec<u8> = (0..size).map(|at: u32| (at / 7) as u8).collect();
        std_fs::write(folder.join(format!("size-{size}.bin")), bytes).unwrap();
    }
    for number in 0..200 {
        std_fs::write(folder.join(format!("many/file number {number}.text")), format!("{number}")).unwrap();
    }
    std_fs::write(folder.join("gr\u{FC}n \u{20AC} name.text"), "x").unwrap();
    std_fs::write(folder.join(format!("{}.text", "long".repeat(14))), "y").unwrap();
}

fn links(folder: &Path) {
    symlink("../a/b", folder.join("a/link")).unwrap();
    symlink("/etc/passwd", folder.join("absolute")).unwrap();
    symlink(format!("{}end", "component/".repeat(60)), folder.join("long-link")).unwrap();
    std_fs::write(folder.join("n".repeat(250)), "long").unwrap();
}

fn path(folder: &TempDir, name: &str) -> String {
    folder.path().join(name).to_str().unwrap().to_owned()
}

#[test]
fn xorriso_rock_ridge_is_read_with_links_and_deep_folders() {
    let temp = TempDir::new().unwrap();
    let (from, image) = (path(&temp, "from"), path(&temp, "disc.iso"));
    source(from.as_ref());
    links(from.as_ref());
    run("xorriso", &["-as", "mkisofs", "-quiet", "-R", "-J", "-joliet-long", "-o", &image, &from]);
    let expected = on_disk(from.as_ref());
    assert_same(&on_disc(image.as_ref(), Namespace::RockRidge), &expected, "Rock Ridge");
    // What another reader makes of it.
    let other = path(&temp, "other");
    run("xorriso", &["-osirrox", "on", "-indev", &image, "-extract", "/", &other]);
    assert_same(&on_disc(image.as_ref(), Namespace::RockRidge), &on_disk(other.as_ref()), "xorriso -osirrox");
}

#[test]
fn genisoimage_relocates_and_its_bridge_has_the_same_files_in_udf_joliet_and_rock_ridge() {
    let temp = TempDir::new().unwrap();
    let (from, image) = (path(&temp, "from"), path(&temp, "disc.iso"));
    source(from.as_ref());
    run("genisoimage", &["-quiet", "-udf", "-R", "-J", "-input-charset", "utf-8", "-o", &image, &from]);
    let expected = on_disk(from.as_ref());
    for namespace in [Namespace::Udf, Namespace::Joliet, Namespace::RockRidge] {
        let mut found = on_disc(image.as_ref(), namespace);
        if namespace == Namespace::RockRidge {
            // Where it keeps the folders that were moved; they are listed where they belong.
            assert_eq!(found.remove("rr_moved"), Some(None));
        }
        assert_same(&found, &expected, namespace.id());
    }
    let other = path(&temp, "other");
    run("7z", &["x", "-y", &format!("-o{other}"), &image]);
    assert_same(&on_disc(image.as_ref(), Namespace::Udf), &on_disk(other.as_ref()), "7z");
}

#[test]
fn plain_names_are_those_that_isoinfo_lists() {
    let temp = TempDir::new().unwrap();
    let (from, image) = (path(&temp, "from"), path(&temp, "disc.iso"));
    std_fs::create_dir_all(temp.path().join("from/sub/inner")).unwrap();
    for name in ["readme", "long-name.text", "sub/inner/x.c"] {
        std_fs::write(temp.path().join("from").join(name), name).unwrap();
    }
    run("genisoimage", &["-quiet", "-iso-level", "2", "-o", &image, &from]);
    let listed = run("isoinfo", &["-f", "-i", &image]);
    let strip = |line: &str| line.trim_start_matches('/').trim_end_matches(";1").trim_end_matches('.').to_owned();
    let mut expected: Vec<_> = listed.lines().map(strip).collect();
    expected.sort();
    assert_eq!(on_disc(image.as_ref(), Namespace::Iso).into_keys().collect::<Vec<_>>(), expected);
}

#[test]
fn bsdtar_writes_what_is_read_back() {
    let temp = TempDir::new().unwrap();
    let (from, image) = (path(&temp, "from"), path(&temp, "disc.iso"));
    source(from.as_ref());
    links(from.as_ref());
    run("bsdtar", &["-c", "-f", &image, "--format", "iso9660", "-C", &from, "a", "many", "absolute", "size-2049.bin"]);
    let mut expected = on_disk(from.as_ref());
    expected.retain(|name, _| {
        ["a", "many", "absolute", "size-2049.bin"].iter().any(|top| name.split('/').next() == Some(top))
    });
    let mut found = on_disc(image.as_ref(), Namespace::RockRidge);
    found.remove("rr_moved");
    assert_same(&found, &expected, "bsdtar");
}

#[test]
fn every_udf_that_mkudffs_makes_is_recognised() {
    let temp = TempDir::new().unwrap();
    let image = path(&temp, "disc.udf");
    let physical: &[&str] = &["physical"];
    let mut made = 0;
    for (media, revisions, partitions) in [
        ("dvd", &["1.02", "1.50", "2.00", "2.01"][..], physical),
        ("dvdram", &["1.02", "1.50", "2.00", "2.01"], physical),
        ("cdrw", &["1.50", "2.00", "2.01"], &["sparable"]),
        ("dvdrw", &["1.50", "2.00", "2.01"], &["sparable"]),
        ("cdr", &["1.50", "2.00", "2.01", "2.50", "2.60"], &["physical", "virtual"]),
        ("dvdr", &["1.50", "2.00", "2.01", "2.50", "2.60"], &["physical", "virtual"]),
        ("bdr", &["2.50", "2.60"], &["physical", "virtual"]),
    ] {
        for revision in revisions {
            let file = std_fs::File::create(&image).unwrap();
            file.set_len(40 << 20).unwrap();
            let (media, version) = (format!("--media-type={media}"), format!("--udfrev={revision}"));
            let said = run("mkudffs", &[&media, &version, "-b", "2048", "-l", "L\u{E4}bel", &image]);
            // On write-once media the table is what was written last: the image of such a disc ends there.
            if let Some(vat) = said.lines().find_map(|line| line.strip_prefix("vatblock=")) {
                file.set_len((vat.parse::<u64>().unwrap() + 1) * 2048).unwrap();
            }
            let opened = open_path(image.as_ref(), &OpenOptions::default()).unwrap();
            let volume = udf::Volume::open(&opened.disc, Lba(0)).unwrap();
            let info = volume.info();
            assert_eq!(format!("{:x}.{:02x}", info.revision >> 8, info.revision & 0xFF), **revision, "{media}");
            assert_eq!((info.label.as_str(), info.partitions.as_slice()), ("L\u{E4}bel", partitions), "{media}");
            let (_, problems) = tree(&volume);
            assert_eq!(problems, [""; 0], "{media} {revision}");
            made += 1;
        }
    }
    assert_eq!(made, 26);
}

#[test]
fn pycdlib_writes_files_and_links_in_every_name_space() {
    let temp = TempDir::new().unwrap();
    let image = path(&temp, "disc.iso");
    let script = r#"
import io, sys, pycdlib
iso = pycdlib.PyCdlib()
iso.new(interchange_level=3, joliet=3, rock_ridge='1.09', udf='2.60')
iso.add_directory('/DIR1', joliet_path='/dir1', rr_name='dir1', udf_path='/dir1')
data = bytes(range(256)) * 300
iso.add_fp(io.BytesIO(data), len(data), '/DIR1/FOO.;1', rr_name='foo', joliet_path='/dir1/foo', udf_path='/dir1/foo')
iso.add_symlink('/SYM.;1', rr_symlink_name='sym', rr_path='dir1/foo', udf_symlink_path='/sym', udf_target='dir1/foo')
iso.write(sys.argv[1])
"#;
    run("/usr/bin/python3", &["-c", script, &image]);
    let data: Vec<u8> = (0..76_800_u32).map(|at| at as u8).collect();
    let mut expected = Tree::from([("dir1".to_owned(), None), ("dir1/foo".to_owned(), Some(data))]);
    assert_same(&on_disc(image.as_ref(), Namespace::Joliet), &expected, "Joliet");
    expected.insert("sym".to_owned(), Some(b"dir1/foo".to_vec()));
    assert_same(&on_disc(image.as_ref(), Namespace::RockRidge), &expected, "Rock Ridge");
    assert_same(&on_disc(image.as_ref(), Namespace::Udf), &expected, "UDF");
}

/// Boot entries as `xorriso -report_el_torito plain` prints them: platform, bootable, emulation, sectors, block.
fn reported(image: &str) -> Vec<[String; 5]> {
    let report = run("xorriso", &["-indev", image, "-report_el_torito", "plain"]);
    let lines = report.lines().filter_map(|line| line.strip_prefix("El Torito boot img :"));
    let fields = lines.map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
    fields.map(|field| [1, 2, 3, 6, 7].map(|at| field[at].clone())).collect()
}

#[test]
fn boot_entries_are_those_that_xorriso_reports() {
    let temp = TempDir::new().unwrap();
    let made = path(&temp, "made.iso");
    std_fs::create_dir(temp.path().join("from")).unwrap();
    std_fs::write(temp.path().join("from/bios.img"), vec![1; 4096]).unwrap();
    std_fs::write(temp.path().join("from/efi.img"), vec![2; 100_000]).unwrap();
    let from = path(&temp, "from");
    let bios = ["-b", "bios.img", "-no-emul-boot", "-boot-load-size", "8", "-eltorito-alt-boot"];
    let efi = ["-e", "efi.img", "-no-emul-boot", "-o", &made, &from];
    run("xorriso", &[&["-as", "mkisofs", "-quiet", "-c", "boot.cat"][..], &bios, &efi].concat());
    for (image, entries) in [
        ("/usr/lib/grub-rescue/grub-rescue-cdrom.iso", 1),
        ("/usr/lib/ipxe/ipxe.iso", 2),
        ("/usr/lib/memtest86+/memtest86+x64.iso", 2),
        ("/usr/lib/memtest86+/memtest86+ia32.iso", 2),
        (&made, 2),
    ] {
        let opened = open_path(image.as_ref(), &OpenOptions::default()).unwrap();
        let catalog = eltorito::read(&opened.disc, Lba(0)).unwrap().unwrap();
        assert!(catalog.checksum_ok && catalog.key_ok && catalog.warnings.is_empty(), "{image}");
        let ours = catalog.entries.iter().map(|entry| {
            let platform = if entry.platform.0 == 0xEF { "UEFI" } else { "BIOS" };
            let emulation =
                if entry.emulation == eltorito::Emulation::Floppy1440 { "fd1.4" } else { entry.emulation.id() };
            let bootable = if entry.bootable { "y" } else { "n" };
            [platform, bootable, emulation, &entry.sectors.to_string(), &entry.load_rba.to_string()].map(str::to_owned)
        });
        let ours: Vec<_> = ours.collect();
        assert_eq!(ours, reported(image), "{image}");
        assert_eq!(ours.len(), entries, "{image}");
    }
}

#[test]
fn hybrid_tables_that_xorriso_writes_are_read_and_their_checksums_checked() {
    let temp = TempDir::new().unwrap();
    let image = path(&temp, "disc.iso");
    std_fs::create_dir(temp.path().join("from")).unwrap();
    std_fs::write(temp.path().join("efi.img"), vec![2; 65_536]).unwrap();
    let efi = path(&temp, "efi.img");
    let from = path(&temp, "from");
    std_fs::write(temp.path().join("from/file"), "x").unwrap();
    let append = ["-append_partition", "2", "0xef", &efi, "-appended_part_as_gpt"];
    run("xorriso", &[&["-as", "mkisofs", "-quiet"][..], &append, &["-o", &image, &from]].concat());
    let opened = open_path(image.as_ref(), &OpenOptions::default()).unwrap();
    let tables = fs::hybrid::read(&opened.disc).unwrap();
    assert!(tables.mbr.iter().any(|partition| partition.kind == 0xEE));
    let gpt = tables.gpt.unwrap();
    assert!(gpt.header_ok && gpt.array_ok);
    let system = gpt.partitions.iter().find(|partition| partition.number == 2).unwrap();
    assert_eq!(system.kind.to_string(), "c12a7328-f81f-11d2-ba4b-00a0c93ec93b");
    assert_eq!(system.last - system.start + 1, 128);
    // A changed byte of the header's GUID, and one of an entry's name, are seen.
    let bytes = std_fs::read(&image).unwrap();
    let gpt_with = |at: usize| {
        let mut bytes = bytes.clone();
        bytes[at] ^= 1;
        fs::hybrid::read(&super::disc(bytes)).unwrap().gpt.unwrap()
    };
    assert!(!gpt_with(512 + 56).header_ok);
    let array = u64::from_le_bytes(bytes[512 + 72..][..8].try_into().unwrap()) as usize * 512;
    let changed = gpt_with(array + 56);
    assert!(changed.header_ok && !changed.array_ok);
}
