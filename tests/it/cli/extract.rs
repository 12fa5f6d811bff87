//! `spindle extract`.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use super::{image, inside, spindle, stderr};
use crate::support::volume::{Layout, UdfFile, directory, iso, long, nm, px, record, rock_ridge, sl, udf};

fn file(name: &[u8], block: u32, bytes: u32) -> Vec<u8> {
    record(b"F.;1", block, bytes, 0, &[px(0o104_750), nm(name)].concat())
}

fn link(name: &[u8], target: &[u8]) -> Vec<u8> {
    record(b"L.;1", 0, 0, 0, &[px(0o120_777), nm(name), sl(target)].concat())
}

fn folder(name: &[u8], block: u32) -> Vec<u8> {
    record(b"D", block, 2048, 2, &[px(0o040_755), nm(name)].concat())
}

fn names(folder: impl AsRef<Path>) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn files_folders_and_links_are_written() {
    let inner = directory(30, b"", &[file(b"inner", 40, 4)]);
    let records = [folder(b"dir", 30), file(b"file", 41, 2), link(b"link", b"etc")];
    let blocks = [(30, inner), (40, b"deep".to_vec()), (41, b"ok".to_vec())];
    let (temp, path) = image(&iso(&rock_ridge(), &records, &blocks));
    let out = inside(&temp, "out");
    let output = spindle(&["extract", &path, "-o", &out]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(names(&out), ["dir", "file", "link"]);
    assert_eq!(fs::read(inside(&temp, "out/dir/inner")).unwrap(), b"deep");
    assert_eq!(fs::read_link(inside(&temp, "out/link")).unwrap(), Path::new("/etc"));
    let metadata = fs::metadata(inside(&temp, "out/file")).unwrap();
    // Never set-user-ID, whatever the disc says.
    assert_eq!(metadata.permissions().mode() & 0o7700, 0o700);
    assert_eq!(metadata.modified().unwrap().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs(), 1_795_419_066);
    let only = inside(&temp, "only");
    assert_eq!(spindle(&["extract", &path, "dir/inner", "-o", &only]).status.code(), Some(0));
    assert_eq!(names(&only), ["dir"]);
    assert_eq!(fs::read(inside(&temp, "only/dir/inner")).unwrap(), b"deep");
}

#[test]
fn no_name_leads_outside() {
    let evil = directory(30, b"", &[file(b"evil", 41, 4)]);
    let records = [
        folder(b"..", 30),
        file(b"../evil1", 41, 4),
        file(b"/tmp/evil2", 41, 4),
        file(b"a\0b", 41, 4),
        file(b".", 41, 4),
        file(b"good", 41, 4),
    ];
    let (temp, path) = image(&iso(&rock_ridge(), &records, &[(30, evil), (41, b"data".to_vec())]));
    let out = inside(&temp, "out");
    let output = spindle(&["extract", &path, "-o", &out]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(names(&out), ["good"]);
    assert_eq!(names(temp.path()), ["disc.iso", "out"]);
    let said = stderr(&output);
    assert_eq!(said.matches("the name could lead outside").count(), 5, "{said}");
    assert_eq!(spindle(&["extract", &path, "../evil", "-o", &out]).status.code(), Some(1));
    assert_eq!(names(temp.path()), ["disc.iso", "out"]);
}

#[test]
fn nothing_is_written_through_a_link() {
    let temp_target = tempfile::TempDir::new().unwrap();
    let target = temp_target.path().to_str().unwrap();
    let evil = directory(30, b"", &[file(b"evil", 41, 4)]);
    // A link, then a folder and a file of the same name behind it.
    let records = [link(b"x", &target.as_bytes()[1..]), folder(b"x", 30), link(b"y", b"evil"), file(b"y", 41, 4)];
    let (temp, path) = image(&iso(&rock_ridge(), &records, &[(30, evil), (41, b"data".to_vec())]));
    let out = inside(&temp, "out");
    for force in [&[][..], &["--force"]] {
        let output = spindle(&[&["extract", &path, "-o", &out][..], force].concat());
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(names(target), [""; 0]);
        assert!(stderr(&output).contains("/x: something that is no folder is in the way"), "{}", stderr(&output));
    }
    // A link that was there before.
    let out = inside(&temp, "out2");
    fs::create_dir(&out).unwrap();
    symlink(target, inside(&temp, "out2/x")).unwrap();
    assert_eq!(spindle(&["extract", &path, "x/evil", "-o", &out]).status.code(), Some(1));
    assert_eq!(names(target), [""; 0]);
}

#[test]
fn existing_files_stay_unless_forced() {
    let (temp, path) = image(&iso(&rock_ridge(), &[file(b"a", 41, 3)], &[(41, b"new".to_vec())]));
    let out = inside(&temp, "out");
    fs::create_dir(&out).unwrap();
    fs::write(inside(&temp, "out/a"), "old").unwrap();
    let output = spindle(&["extract", &path, "-o", &out]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("/a: exists already"));
    assert_eq!(fs::read(inside(&temp, "out/a")).unwrap(), b"old");
    assert_eq!(spindle(&["extract", "-f", &path, "-o", &out]).status.code(), Some(0));
    assert_eq!(fs::read(inside(&temp, "out/a")).unwrap(), b"new");
    assert_eq!(names(&out), ["a"]);
}

#[test]
fn a_file_that_cannot_be_read_leaves_no_part_and_the_rest_is_written() {
    let records =
        [file(b"bad", 62, 9000), file(b"good", 41, 2), record(b"P.;1", 0, 0, 0, &[px(0o010_600), nm(b"p")].concat())];
    let (temp, path) = image(&iso(&rock_ridge(), &records, &[(41, b"ok".to_vec())]));
    let out = inside(&temp, "out");
    for force in [&[][..], &["--force"]] {
        let output = spindle(&[&["extract", &path, "-o", &out][..], force].concat());
        assert_eq!(output.status.code(), Some(1));
        let said = stderr(&output);
        assert!(said.contains("spindle: /bad: block 64 is past the end of the disc\n"), "{said}");
        assert!(said.contains("/p: refused: devices, pipes and sockets are not made\n"), "{said}");
        assert_eq!(names(&out), ["good"]);
    }
}

#[test]
fn a_file_of_more_than_the_disc_has_is_not_written() {
    // 512 blocks of disc, and 16,000 in the file: the same again and again.
    let allocation = long(160 * 2048, 40, 0).repeat(100);
    let size = 100 * 160 * 2048;
    let file = UdfFile { name: "a", kind: 5, size, form: 1, allocation, is_root: false, deleted: false };
    let (temp, path) = image(&udf(Layout::Physical, &[file], &[]));
    let out = inside(&temp, "out");
    let output = spindle(&["extract", &path, "-o", &out]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("/a: more than 1048576 bytes in one file"), "{}", stderr(&output));
    assert!(names(&out).is_empty());
}
