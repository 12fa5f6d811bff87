//! Commands that a read-only drive does not have.

use spindle::drive::COMMANDS;

use crate::support::disc::{self, patterned};
use crate::support::initiator::Initiator;

/// Writing, formatting and closing (MMC-6; only with a write feature), and what only SCSI-2 has of playing sound. The drive has
/// none of these features, so none of the commands (MMC-6, 5.1).
const ABSENT: [(u8, &str); 18] = [
    (0x04, "FORMAT UNIT"),
    (0x0A, "WRITE (6)"),
    (0x2A, "WRITE (10)"),
    (0x2E, "WRITE AND VERIFY (10)"),
    (0x41, "WRITE SAME (10)"),
    (0x49, "PLAY TRACK RELATIVE (10)"),
    (0x53, "RESERVE TRACK"),
    (0x54, "SEND OPC INFORMATION"),
    (0x58, "REPAIR TRACK"),
    (0x5B, "CLOSE TRACK/SESSION"),
    (0x5D, "SEND CUE SHEET"),
    (0x8A, "WRITE (16)"),
    (0xA1, "BLANK"),
    (0xA9, "PLAY TRACK RELATIVE (12)"),
    (0xAA, "WRITE (12)"),
    (0xAE, "WRITE AND VERIFY (12)"),
    (0xBF, "SEND DISC STRUCTURE"),
    (0x2C, "ERASE (10)"),
];

#[test]
fn writing_is_an_invalid_operation_code_with_any_medium() {
    let audio = disc::of(disc::cd(1, &[&[(spindle::disc::TrackMode::Audio, 1000)]]));
    for guest in [
        Initiator::with(patterned(1, 300)).1,
        Initiator::with(patterned(1, 1_000_000)).1,
        Initiator::with(audio).1,
        Initiator::fresh().1,
    ] {
        for (opcode, name) in ABSENT {
            let mut cdb = [0; 16];
            cdb[0] = opcode;
            let answer = guest.send(&cdb, 2048, &[0; 2048]);
            assert_eq!(answer.kaq(), (5, 0x20, 0), "{name}");
            assert_eq!(answer.residual, 2 * 2048, "{name} moves nothing");
        }
    }
}

#[test]
fn what_is_absent_is_not_reported_as_supported() {
    let (_drive, guest) = Initiator::with(patterned(1, 300));
    let all = guest.run(&[0xA3, 0x0C, 0, 0, 0, 0, 0, 0, 0x40, 0, 0, 0], 0x4000).good();
    let supported: Vec<u8> = all[4..].chunks(8).map(|row| row[0]).collect();
    assert!(supported.contains(&0x28));
    for (opcode, name) in ABSENT {
        assert!(!supported.contains(&opcode), "{name}");
        assert!(COMMANDS.iter().all(|command| command.opcode != opcode), "{name}");
    }
}

/// Commands of MMC-6 that read or say something and belong to features that the drive does not have.
const OF_OTHER_FEATURES: [(u8, &str); 5] = [
    (0x3B, "WRITE BUFFER"),
    (0x3C, "READ BUFFER"),
    (0xA2, "SECURITY PROTOCOL IN"),
    (0xAB, "READ MEDIA SERIAL NUMBER"),
    (0xB5, "SECURITY PROTOCOL OUT"),
];

#[test]
fn what_belongs_to_other_features_is_absent() {
    let (_drive, guest) = Initiator::with(patterned(1, 1_000_000));
    for (opcode, name) in OF_OTHER_FEATURES {
        let mut cdb = [0; 16];
        cdb[..2].copy_from_slice(&[opcode, 1]);
        assert_eq!(guest.run(&cdb, 2048).kaq(), (5, 0x20, 0), "{name}");
        assert!(COMMANDS.iter().all(|command| command.opcode != opcode), "{name}");
    }
}
