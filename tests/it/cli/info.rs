//! `spindle info`.

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{image, inside, spindle, stderr, stdout};
use crate::support::images::mds::{Session, Track, build};
use crate::support::inputs;
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
    let sessions = info["sessions"].as_array().unwrap();
    assert_eq!((sessions.len(), &sessions[0]["number"], &sessions[0]["lead_out"]), (1, &json!(1), &json!(64)));
    let tracks = sessions[0]["tracks"].as_array().unwrap();
    assert_eq!(tracks.len(), 1);
    for (field, value) in [
        ("number", json!(1)),
        ("mode", json!("mode 1")),
        ("start", json!(0)),
        ("blocks", json!(64)),
        ("pregap", json!(150)),
        ("indices", json!([])),
        ("isrc", Value::Null),
        ("subchannel", json!(false)),
        ("sha256", Value::Null),
    ] {
        assert_eq!(tracks[0][field], value, "{field}");
    }
    assert_eq!(info["file_systems"][0]["type"], "iso9660");
    assert_eq!(info["file_systems"][1], json!({"type": "rockridge"}));
    assert_eq!(info["warnings"], json!([]));
    let info = json_of(&udf(Layout::Metadata, &[], &[]));
    assert_eq!(info["file_systems"][0]["type"], "udf");
    assert_eq!(info["file_systems"][0]["revision"], "2.50");
    assert_eq!(info["file_systems"][0]["partitions"], json!(["physical", "metadata"]));
}

#[test]
fn hashes_are_those_that_sha256sum_gives() {
    let mut bytes = iso(b"", &[], &[]);
    bytes.truncate(60 * 2048 + 100);
    let (folder, path) = image(&bytes);
    let padded = folder.path().join("padded");
    let mut data = bytes.clone();
    data.resize(61 * 2048, 0);
    std::fs::write(&padded, data).unwrap();
    let sha256sum = |path: &std::path::Path| {
        let output = std::process::Command::new("sha256sum").arg(path).output().unwrap();
        stdout(&output).split(' ').next().unwrap().to_owned()
    };
    let info: Value = serde_json::from_str(&stdout(&spindle(&["info", "--json", "--hash", &path]))).unwrap();
    assert_eq!(info["sha256"], json!(sha256sum(path.as_ref())));
    assert_eq!(info["sessions"][0]["tracks"][0]["sha256"], json!(sha256sum(&padded)));
    let text = stdout(&spindle(&["info", "--hash", &path]));
    assert!(text.contains(&sha256sum(path.as_ref())) && text.contains(&sha256sum(&padded)), "{text}");
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

#[test]
fn structures_and_measurement_are_told_in_short() {
    let folder = TempDir::new().unwrap();
    let track = Track {
        point: 1,
        mode: 2,
        interleaved: false,
        bytes: 2048,
        start: 0,
        offset: 0,
        pregap: 0,
        blocks: 3,
        files: vec![b"*.mdf".to_vec()],
    };
    let sessions = [Session { start: 0, end: 3, tracks: vec![track] }];
    let image = build(0x10, &sessions, &[0; 4100], Some((5, 75, &[10, 20, 30])));
    let path = inside(&folder, "disc.mds");
    std::fs::write(&path, image).unwrap();
    std::fs::write(inside(&folder, "disc.mdf"), [5; 3 * 2048]).unwrap();
    let text = stdout(&spindle(&["info", &path]));
    assert!(text.contains("\nDPM:      3 angles, one every 75 blocks from 5\n"), "{text}");
    assert!(text.contains("\nstructure: format 04h of layer 0, 2048 bytes\n"), "{text}");
    let info: Value = serde_json::from_str(&stdout(&spindle(&["info", "--json", &path]))).unwrap();
    assert_eq!(info["dpm"], json!({"start": 5, "resolution": 75, "entries": 3}));
    assert_eq!(info["structures"][0], json!({"layer": 0, "format": 1, "bytes": 4}));
}

#[test]
fn cd_text_is_told_by_language_and_track() {
    let folder = TempDir::new().unwrap();
    std::fs::copy(inputs::path("libcdio/cdtext.cdt"), inside(&folder, "disc.cdt")).unwrap();
    std::fs::write(inside(&folder, "disc.bin"), vec![0; 6 * 2352]).unwrap();
    let tracks = (1..4).map(|number| format!("TRACK {number:02} AUDIO\nINDEX 01 00:00:{:02}\n", (number - 1) * 2));
    let sheet = format!("CDTEXTFILE disc.cdt\nFILE disc.bin BINARY\n{}", tracks.collect::<String>());
    let path = inside(&folder, "disc.cue");
    std::fs::write(&path, sheet).unwrap();
    let text = stdout(&spindle(&["info", &path]));
    let english = "\n  CD-TEXT, English: title \"Joyful Nights\", performer \"United Cat Orchestra\"\
                   \n    track  1: title \"Song of Joy\", performer \"Felix and The Purrs\"\
                   \n    track  2: title \"Humpty Dumpty\", performer \"Catwalk Beauties\"\
                   \n    track  3: title \"Mee Owwww\", performer \"Mia Kitten\"\
                   \n  CD-TEXT, German: title \"Freudvolle Nächte\", performer ";
    assert!(text.contains(english), "{text}");
    let info: Value = serde_json::from_str(&stdout(&spindle(&["info", "--json", &path]))).unwrap();
    let texts = &info["sessions"][0]["cd_text"];
    assert_eq!((&texts[0]["language"], &texts[0]["language_name"]), (&json!(9), &json!("English")));
    assert_eq!(texts[0]["disc"]["disc_id"], "1234567890");
    assert_eq!(texts[1]["disc"]["title"], "Freudvolle Nächte");
    let second = &texts[0]["tracks"][1];
    assert_eq!((&second["number"], &second["songwriter"]), (&json!(2), &json!("Mother Goose")));
}
