//! `spindle info`.

use serde_json::{Value, json};

use super::{image, spindle, stderr, stdout};
use crate::support::volume::{Layout, iso, rock_ridge, udf};

fn json_of(bytes: &[u8]) -> Value {
    let (_folder, path) = image(bytes);
    let output = spindle(&["info", "--json", &path]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    serde_json::from_str(&stdout(&output)).unwrap()
}

#[test]
fn json_says_what_the_image_is() {
    let info = json_of(&iso(&rock_ridge(), &[], &[]));
    assert_eq!(info["format"], "iso");
    assert_eq!(info["bytes"], 64 * 2048);
    assert_eq!(info["medium"], "CD-ROM");
    assert_eq!(info["layers"], 1);
    assert_eq!(info["label"], "TEST");
    let track = json!({"number": 1, "mode": "mode 1", "start": 0, "blocks": 64, "pregap": 150});
    assert_eq!(info["sessions"], json!([{"number": 1, "lead_out": 64, "tracks": [track]}]));
    assert_eq!(info["file_systems"][0]["type"], "iso9660");
    assert_eq!(info["file_systems"][1], json!({"type": "rockridge"}));
    assert_eq!(info["warnings"], json!([]));
    let info = json_of(&udf(Layout::Metadata, &[], &[]));
    assert_eq!(info["file_systems"][0]["type"], "udf");
    assert_eq!(info["file_systems"][0]["revision"], "2.50");
    assert_eq!(info["file_systems"][0]["partitions"], json!(["physical", "metadata"]));
}

#[test]
fn a_padded_and_cut_image_is_warned_of() {
    let mut bytes = iso(b"", &[], &[]);
    bytes.truncate(50 * 2048 + 10);
    let warnings = json_of(&bytes)["warnings"].as_array().unwrap().clone();
    assert_eq!(warnings.len(), 2);
    assert!(warnings[0].as_str().unwrap().contains("padded with 2038 zero bytes"));
    assert!(warnings[1].as_str().unwrap().contains("64 blocks, the image only 51"));
}

#[test]
fn a_label_cannot_command_the_terminal() {
    let mut bytes = iso(b"", &[], &[]);
    bytes[16 * 2048 + 40..][..7].copy_from_slice(b"\x1B[2Jx\r\n");
    let (_folder, path) = image(&bytes);
    let text = stdout(&spindle(&["info", &path]));
    assert!(text.contains("label:    \\u{1b}[2Jx"), "{text}");
    assert!(!text.contains('\x1B') && !text.contains('\r'));
}

#[test]
fn exit_codes_tell_a_missing_file_from_one_that_is_no_image() {
    let missing = spindle(&["info", "/nonexistent/disc.iso"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(stderr(&missing).contains("/nonexistent/disc.iso"));
    let (_folder, empty) = image(b"");
    assert_eq!(spindle(&["info", &empty]).status.code(), Some(5));
    assert_eq!(spindle(&["info"]).status.code(), Some(2));
}
