//! `spindle ls`.

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::{image, spindle, stderr, stdout};
use crate::support::volume::{directory, iso, nm, px, record, rock_ridge, sl};

fn sample() -> Vec<u8> {
    let inner = directory(30, b"", &[record(b"F.;1", 40, 7, 0, &[px(0o100_640), nm(b"file")].concat())]);
    let records = [
        record(b"D", 30, 2048, 2, &[px(0o040_755), nm(b"dir")].concat()),
        record(b"L.;1", 0, 0, 0, &[px(0o120_777), nm(b"link\x1B"), sl(b"etc")].concat()),
    ];
    iso(&rock_ridge(), &records, &[(30, inner)])
}

#[test]
fn a_folder_is_listed_like_ls_does() {
    let (_folder, path) = image(&sample());
    let dir = "drwxr-xr-x          2048 2026-11-23T07:31:06+00:00 dir\n";
    let link = "lrwxrwxrwx             4 2026-11-23T07:31:06+00:00 link\\u{1b} -> /etc\n";
    assert_eq!(stdout(&spindle(&["ls", &path])), [dir, link].concat());
    let file = "-rw-r-----             7 2026-11-23T07:31:06+00:00 ";
    assert_eq!(stdout(&spindle(&["ls", "-R", &path])), [dir, file, "dir/file\n", link].concat());
    assert_eq!(stdout(&spindle(&["ls", &path, "/dir"])), [file, "file\n"].concat());
    assert_eq!(stdout(&spindle(&["ls", &path, "dir/file"])), [file, "file\n"].concat());
}

#[test]
fn the_name_space_can_be_chosen() {
    let (_folder, path) = image(&sample());
    let plain = stdout(&spindle(&["ls", "-R", "--fs", "iso", &path]));
    let names: Vec<_> = plain.lines().map(|line| line.split(' ').next_back().unwrap()).collect();
    assert_eq!(names, ["D", "D/F", "L"]);
    let absent = spindle(&["ls", "--fs", "udf", &path]);
    assert_eq!(absent.status.code(), Some(5));
    assert_eq!(stderr(&absent), "spindle: the disc holds no such file system\n");
}

#[test]
fn json_has_every_attribute() {
    let (_folder, path) = image(&sample());
    let list: Value = serde_json::from_str(&stdout(&spindle(&["ls", "-R", "--json", &path]))).unwrap();
    assert_eq!(list["fs"], "rockridge");
    let file = json!({"path": "dir/file", "type": "file", "size": 7, "mode": "0640", "uid": 0, "gid": 0,
        "modified": "2026-11-23T07:31:06+00:00"});
    assert_eq!(list["entries"][1], file);
    assert_eq!(list["entries"][2]["target"], "/etc");
}

#[test]
fn a_path_that_is_not_there_is_a_failure() {
    let (_folder, path) = image(&sample());
    let output = spindle(&["ls", &path, "/dir/none"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stderr(&output), "spindle: /dir/none: no such file or folder on the disc\n");
}

#[test]
fn what_can_be_read_is_listed_and_the_rest_told() {
    let (_folder, path) =
        image(&iso(b"", &[record(b"BAD", 999, 2048, 2, b""), record(b"GOOD.;1", 30, 1, 0, b"")], &[]));
    let output = spindle(&["ls", "-R", &path]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("GOOD"));
    assert!(
        stderr(&output).starts_with("spindle: /BAD: block 999 is past the end of the disc\n"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    let records: Vec<_> = (0..40).map(|n| record(format!("F{n:02}.;1").as_bytes(), 30, 1, 0, b"")).collect();
    let (_folder, path) = image(&iso(b"", &records, &[]));
    let mut command = Command::new(env!("CARGO_BIN_EXE_spindle"));
    let mut child = command.args(["ls", &path]).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
