//! `spindle verify`.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::{image, inside, spindle, stderr, stdout};
use crate::support::inputs;
use crate::support::volume::iso;

fn sum(program: &str, arguments: &[&str], path: &str) -> String {
    let output = Command::new(program).args(arguments).arg(path).output().unwrap();
    assert!(output.status.success(), "{program}");
    stdout(&output)
}

fn status(arguments: &[&str]) -> Option<i32> {
    spindle(arguments).status.code()
}

#[test]
fn sums_of_coreutils_in_every_style_are_held_against_the_file() {
    let (folder, path) = image(&iso(b"", &[], &[]));
    let list = inside(&folder, "LIST");
    for program in ["md5sum", "sha1sum", "sha256sum", "sha512sum"] {
        for style in [&[][..], &["--tag"], &["--binary"]] {
            let text = sum(program, style, &path);
            std::fs::write(&list, format!("# a comment\n{text}")).unwrap();
            let output = spindle(&["verify", "--sums", &list, &path]);
            assert_eq!(output.status.code(), Some(0), "{text}: {}", stderr(&output));
            assert!(stdout(&output).contains(" of the file"), "{}", stdout(&output));
            // Another digit in the sum.
            let at = if style == ["--tag"] { text.trim_end().len() - 1 } else { 0 };
            let other = if text.as_bytes()[at] == b'0' { "1" } else { "0" };
            let mut wrong = text.clone();
            wrong.replace_range(at..=at, other);
            std::fs::write(&list, &wrong).unwrap();
            assert_eq!(status(&["verify", "--sums", &list, &path]), Some(6), "{wrong}");
        }
    }
    // A name that such lists write with escapes.
    let odd = inside(&folder, "back\\slash\nline.iso");
    std::fs::copy(&path, &odd).unwrap();
    for style in [&[][..], &["--tag"]] {
        let text = sum("sha256sum", style, &odd);
        assert!(text.starts_with('\\'), "{text}");
        std::fs::write(&list, &text).unwrap();
        assert_eq!(status(&["verify", "--sums", &list, &odd]), Some(0), "{text}");
        assert_eq!(status(&["verify", "--sums", &list, &path]), Some(1), "{text}");
    }
    std::fs::write(&list, format!("{}  other.iso\n{}  more.iso\n", "0".repeat(64), "1".repeat(64))).unwrap();
    let output = spindle(&["verify", "--sums", &list, &path]);
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(1), ""));
    assert!(stderr(&output).contains("does not list disc.iso"), "{}", stderr(&output));
}

#[test]
fn a_sha256_on_the_command_line_is_held_against_the_file() {
    let (_folder, path) = image(&iso(b"", &[], &[]));
    let right = sum("sha256sum", &[], &path)[..64].to_owned();
    let output = spindle(&["verify", "--json", "--sha256", &right.to_uppercase(), &path]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(report["ok"], true);
    assert_eq!(report["checks"][0]["name"], "SHA-256 of the file");
    assert_eq!(report["bad_sectors"], serde_json::json!([]));
    let output = spindle(&["verify", "--sha256", &"0".repeat(64), &path]);
    assert_eq!(output.status.code(), Some(6));
    assert!(stdout(&output).contains("FAILED SHA-256 of the file: differs"), "{}", stdout(&output));
    assert_eq!(status(&["verify", "--sha256", "12", &path]), Some(2));
}

/// Against `implantisomd5`, which wrote most of the checksums inside ISOs that there are.
#[test]
fn tools_the_checksum_inside_an_iso_is_found_and_checked() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = inside(&folder, "disc.iso");
    std::fs::create_dir(inside(&folder, "tree")).unwrap();
    std::fs::write(inside(&folder, "tree/file"), vec![7; 300_000]).unwrap();
    let run = |program: &str, arguments: &[&str]| {
        let output =
            Command::new(program).args(arguments).output().unwrap_or_else(|error| panic!("{program}: {error}"));
        assert!(output.status.success(), "{program}: {}", stderr(&output));
    };
    run("genisoimage", &["-quiet", "-o", &path, &inside(&folder, "tree")]);
    let before = spindle(&["verify", &path]);
    assert!(!stdout(&before).contains("isomd5sum"), "{}", stdout(&before));
    run("implantisomd5", &[&path]);
    let output = spindle(&["verify", &path]);
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
    assert!(stdout(&output).contains("ok     MD5 inside the ISO (isomd5sum)"), "{}", stdout(&output));
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes.windows(64).position(|window| window == [7; 64]).unwrap();
    bytes[at] = 8;
    std::fs::write(&path, bytes).unwrap();
    assert_eq!(status(&["verify", &path]), Some(6));
    assert!(Path::new(&path).exists());
}

#[test]
fn what_an_image_lacks_is_told_by_info_and_verify() {
    let image_bytes = std::fs::read(inputs::path("libcdio/joliet.iso")).unwrap();
    // The volume is said to be as long as the largest medium.
    let mut longest = image_bytes.clone();
    longest[16 * 2048 + 80..][..4].copy_from_slice(&62_000_000_u32.to_le_bytes());
    longest[16 * 2048 + 84..][..4].copy_from_slice(&62_000_000_u32.to_be_bytes());
    for (bytes, first, last) in [(&image_bytes[..40 * 2048], 40, 197), (&longest, 198, 61_999_999)] {
        let (_folder, path) = image(bytes);
        let words = format!("the last {} are missing and cannot be read", last - first + 1);
        let output = spindle(&["info", &path]);
        assert!(output.status.success() && stdout(&output).contains(&words), "{}", stdout(&output));
        let output = spindle(&["verify", "--json", &path]);
        assert_eq!(output.status.code(), Some(6));
        let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
        let bad = json!([{ "first": first, "last": last, "problem": "cannot be read" }]);
        assert_eq!((&report["ok"], &report["bad_sectors"]), (&json!(false), &bad));
        assert!(report["warnings"][0].as_str().unwrap().contains(&words), "{report}");
    }
}

#[test]
fn sums_of_more_bytes_than_there_can_be_are_no_fault() {
    // An ISZ in four pieces, each of which says that it has half of all bytes that can be counted.
    let mut header = vec![0; 64];
    header[..6].copy_from_slice(b"IsZ!\x40\x01");
    for (at, number) in [(12, 4_u32), (25, 4), (29, 2048), (35, 64), (43, 96)] {
        header[at..at + 4].copy_from_slice(&number.to_le_bytes());
    }
    header[10..12].copy_from_slice(&2048_u16.to_le_bytes());
    header[33] = 8;
    let numbers = (i64::MAX as u64).to_le_bytes().repeat(4);
    let key = [0xB6, 0x8C, 0xA5, 0xDE];
    header.extend(numbers.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    let folder = tempfile::tempdir().unwrap();
    let path = inside(&folder, "disc.isz");
    std::fs::write(&path, header).unwrap();
    let output = spindle(&["verify", &path]);
    assert_eq!(output.status.code(), Some(6), "{}", stderr(&output));
}
