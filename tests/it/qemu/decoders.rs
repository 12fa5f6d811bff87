//! Every answer that sg3-utils and libcdio know how to decode, with a medium of each kind: they succeed and complain of nothing.

use tempfile::TempDir;

use super::said::insert;
use crate::support::host::sparse_file;
use crate::support::images::described::{ccd, nrg};
use crate::support::images::discs::{audio, extra, mixed, put, sessions, xa};
use crate::support::vm::{Daemon, Vm};

/// INQUIRY, MODE SENSE, LOG SENSE, REPORT LUNS, REPORT SUPPORTED OPERATION CODES and TASK MANAGEMENT FUNCTIONS, GET CONFIGURATION.
const WITHOUT_MEDIUM: [&str; 17] = [
    "sg_inq /dev/sr0",
    "sg_vpd -a /dev/sr0",
    "sg_modes -a /dev/sr0",
    "sg_modes -a -6 /dev/sr0",
    "sg_modes -a -c 1 /dev/sr0",
    "sg_modes -a -c 2 /dev/sr0",
    "sg_logs -a /dev/sr0",
    "sg_logs -L /dev/sr0",
    "sg_luns /dev/sg0",
    "sg_luns -s 1 /dev/sg0",
    "sg_opcodes /dev/sr0",
    "sg_opcodes -R /dev/sr0",
    "sg_opcodes -t /dev/sr0",
    "sg_opcodes -t -p 5 /dev/sr0",
    "sg_get_config /dev/sr0",
    "mmc-tool --inquiry /dev/sr0",
    "cd-drive /dev/sr0",
];
/// REQUEST SENSE, READ CAPACITY, READ SUB-CHANNEL, READ TOC, READ DISC INFORMATION, READ TRACK INFORMATION; GET CONFIGURATION again.
const WITH_MEDIUM: [&str; 7] = [
    "sg_turs -v /dev/sr0",
    "sg_requests -s /dev/sr0",
    "sg_readcap /dev/sr0",
    "sg_readcap --16 /dev/sr0",
    "mmc-tool --mcn /dev/sr0",
    "cd-info --no-cddb --no-analyze /dev/sr0",
    "/lib/udev/cdrom_id /dev/sr0",
];
/// What the decoders say of an answer that they do not like.
const COMPLAINTS: [&str; 13] = [
    "unexpected",
    "too short",
    "invalid",
    "malformed",
    "truncated",
    "??",
    "reserved",
    "unknown",
    "bad",
    "error",
    "fail",
    "illegal",
    "unsupported",
];
/// Lines with such a word that complain of nothing.
const NO_COMPLAINTS: [&str; 5] = [
    ">> Read-Write error recovery, page_control:",
    "C2 Error",
    "error-corrected",
    // libcdio knows no features of BDs: 0040h is BD Read.
    "Unknown code 40 Feature",
    // The guest has no tables of character sets.
    "Iconv failed",
];

/// Runs `programs` and gives every line that complains, and what failed.
fn complaints(vm: &mut Vm, programs: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for program in programs {
        let (status, said) = vm.run(&format!("{program} 2>&1"));
        let bad = |line: &&str| {
            let lower = line.to_lowercase();
            COMPLAINTS.iter().any(|word| lower.contains(word)) && !NO_COMPLAINTS.iter().any(|good| line.contains(good))
        };
        found.extend(said.lines().filter(bad).map(|line| format!("{program}: {line}")));
        if status != 0 {
            found.push(format!("{program}: status {status}: {said}"));
        }
    }
    found
}

#[test]
fn independent_decoders_complain_of_no_answer() {
    let folder = TempDir::with_prefix("spindle-").unwrap();
    let folder = folder.path();
    let daemon = Daemon::start(&[]);
    let mut vm = Vm::with_programs(&daemon);
    assert_eq!(complaints(&mut vm, &WITHOUT_MEDIUM), [""; 0], "no medium");
    let disc = mixed::disc();
    let large = |name: &str, blocks: u64| {
        let path = folder.join(name);
        sparse_file(&path, mixed::iso(&disc, folder).as_ref(), blocks * 2048);
        path.to_str().unwrap().to_owned()
    };
    for image in [
        audio::cue(&audio::disc(), folder),
        mixed::cue(&disc, folder),
        xa::cue(&xa::disc(), folder),
        put(folder, "extra", &ccd::files(&extra::disc(), ccd::Options::default())),
        put(folder, "sessions", &nrg::files(&sessions::disc(), nrg::Options::default())),
        large("dvd", 2_100_000),
        large("two-layers", 4_100_000),
        large("bd", 11_000_000),
    ] {
        insert(&daemon, &mut vm, &image);
        assert_eq!(complaints(&mut vm, &WITHOUT_MEDIUM), [""; 0], "{image}");
        assert_eq!(complaints(&mut vm, &WITH_MEDIUM), [""; 0], "{image}");
    }
}
