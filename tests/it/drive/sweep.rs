//! Every command with an allocation length: what fits is a prefix of the whole answer, which tells its own length, and the rest is a
//! residual.

use spindle::drive::COMMANDS;

use crate::support::disc::patterned;
use crate::support::initiator::Initiator;

/// Name, CDB, first byte and width of ALLOCATION LENGTH, and the same of the answer's own length field, if it has one, with how much
/// shorter than the answer its value is.
type Row = (&'static str, &'static [u8], usize, usize, Option<(usize, usize, usize)>);

const FUNCTIONS: &str = "REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS";
const NONE: Option<(usize, usize, usize)> = None;
/// Two bytes, then what they count.
const TWO: Option<(usize, usize, usize)> = Some((0, 2, 2));
/// Four bytes, then what they count.
const FOUR: Option<(usize, usize, usize)> = Some((0, 4, 4));

const ANY_MEDIUM: &[Row] = &[
    ("REQUEST SENSE", &[0x03, 0, 0, 0, 0, 0], 4, 1, Some((7, 1, 8))),
    ("REQUEST SENSE, descriptor", &[0x03, 1, 0, 0, 0, 0], 4, 1, Some((7, 1, 8))),
    ("INQUIRY", &[0x12, 0, 0, 0, 0, 0], 3, 2, Some((4, 1, 5))),
    ("INQUIRY, 00h", &[0x12, 1, 0x00, 0, 0, 0], 3, 2, Some((2, 2, 4))),
    ("INQUIRY, 80h", &[0x12, 1, 0x80, 0, 0, 0], 3, 2, Some((2, 2, 4))),
    ("INQUIRY, 83h", &[0x12, 1, 0x83, 0, 0, 0], 3, 2, Some((2, 2, 4))),
    ("MODE SENSE (6)", &[0x1A, 0, 0x3F, 0, 0, 0], 4, 1, Some((0, 1, 1))),
    ("LOG SENSE", &[0x4D, 0, 0x40, 0, 0, 0, 0, 0, 0, 0], 7, 2, Some((2, 2, 4))),
    (FUNCTIONS, &[0xA3, 0x0D, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0], 6, 4, Some((3, 1, 4))),
    ("READ FORMAT CAPACITIES", &[0x23, 0, 0, 0, 0, 0, 0, 0, 0, 0], 7, 2, Some((3, 1, 4))),
    ("READ TOC, 0", &[0x43, 0, 0, 0, 0, 0, 0, 0, 0, 0], 7, 2, TWO),
    ("READ TOC, 1", &[0x43, 2, 1, 0, 0, 0, 0, 0, 0, 0], 7, 2, TWO),
    ("READ TOC, 2", &[0x43, 2, 2, 0, 0, 0, 0, 0, 0, 0], 7, 2, TWO),
    ("GET CONFIGURATION", &[0x46, 0, 0, 0, 0, 0, 0, 0, 0, 0], 7, 2, FOUR),
    ("GET EVENT STATUS NOTIFICATION", &[0x4A, 1, 0, 0, 0x10, 0, 0, 0, 0, 0], 7, 2, TWO),
    ("GET EVENT STATUS NOTIFICATION, no class", &[0x4A, 1, 0, 0, 0, 0, 0, 0, 0, 0], 7, 2, TWO),
    ("READ DISC INFORMATION", &[0x51, 0, 0, 0, 0, 0, 0, 0, 0, 0], 7, 2, TWO),
    ("READ TRACK INFORMATION", &[0x52, 1, 0, 0, 0, 1, 0, 0, 0, 0], 7, 2, TWO),
    ("MODE SENSE (10)", &[0x5A, 0, 0x3F, 0, 0, 0, 0, 0, 0, 0], 7, 2, TWO),
    ("READ BUFFER CAPACITY", &[0x5C, 0, 0, 0, 0, 0, 0, 0, 0, 0], 7, 2, TWO),
    ("READ CAPACITY (16)", &[0x9E, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 10, 4, NONE),
    ("REPORT LUNS", &[0xA0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 6, 4, Some((0, 4, 8))),
    ("REPORT SUPPORTED OPERATION CODES", &[0xA3, 0x0C, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 6, 4, FOUR),
    ("REPORT KEY, 08h", &[0xA4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0], 8, 2, TWO),
    ("MECHANISM STATUS", &[0xBD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 8, 2, Some((6, 2, 8))),
];
const CD: &[Row] = &[
    ("READ SUB-CHANNEL, none", &[0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0], 7, 2, Some((2, 2, 4))),
    ("READ SUB-CHANNEL, 01h", &[0x42, 0, 0x40, 1, 0, 0, 0, 0, 0, 0], 7, 2, Some((2, 2, 4))),
    ("READ SUB-CHANNEL, 02h", &[0x42, 0, 0x40, 2, 0, 0, 0, 0, 0, 0], 7, 2, Some((2, 2, 4))),
    ("READ SUB-CHANNEL, 03h", &[0x42, 0, 0x40, 3, 0, 0, 1, 0, 0, 0], 7, 2, Some((2, 2, 4))),
    ("READ TOC, 5", &[0x43, 2, 5, 0, 0, 0, 0, 0, 0, 0], 7, 2, TWO),
    ("READ HEADER", &[0x44, 0, 0, 0, 0, 9, 0, 0, 0, 0], 7, 2, NONE),
];
const DVD: &[Row] = &[
    ("READ DISC STRUCTURE, 00h", &[0xAD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 8, 2, TWO),
    ("READ DISC STRUCTURE, 01h", &[0xAD, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0], 8, 2, TWO),
    ("READ DISC STRUCTURE, 04h", &[0xAD, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0], 8, 2, TWO),
    ("READ DISC STRUCTURE, 05h", &[0xAD, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0], 8, 2, TWO),
    ("READ DISC STRUCTURE, C0h", &[0xAD, 0, 0, 0, 0, 0, 0, 0xC0, 0, 0, 0, 0], 8, 2, TWO),
    ("REPORT KEY, 05h", &[0xA4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0], 8, 2, TWO),
    ("READ DISC STRUCTURE, FFh", &[0xAD, 0, 0, 0, 0, 0, 0, 0xFF, 0, 0, 0, 0], 8, 2, TWO),
];
const BD: &[Row] = &[("READ DISC STRUCTURE, BD 00h", &[0xAD, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 8, 2, TWO)];

fn with_allocation(cdb: &[u8], at: usize, width: usize, allocation: usize) -> Vec<u8> {
    let mut cdb = cdb.to_vec();
    cdb[at..at + width].copy_from_slice(&(allocation as u64).to_be_bytes()[8 - width..]);
    cdb
}

fn sweep(guest: &Initiator, rows: &[Row]) {
    for &(name, cdb, at, width, field) in rows {
        let most = if width == 1 { 255 } else { 0x3000 };
        let full = guest.run(&with_allocation(cdb, at, width, most), most).good();
        assert!((4..most - 100).contains(&full.len()), "{name}: {}", full.len());
        if let Some((at, width, shorter)) = field {
            let told = full[at..at + width].iter().fold(0, |value, &byte| value << 8 | usize::from(byte));
            assert_eq!(told + shorter, full.len(), "{name}");
        }
        // Each of the first, and the last. The functions want room for four bytes (SPC-4, 6.36).
        let first = if name == FUNCTIONS { 4 } else { 0 };
        let last = full.len().saturating_sub(2);
        for allocation in (first..last.min(128)).chain(last..full.len() + 2).chain([full.len() + 100]) {
            let expected = &full[..allocation.min(full.len())];
            let cdb = with_allocation(cdb, at, width, allocation);
            // A buffer as long as the allocation, and one that is longer.
            for room in [allocation, allocation + 300] {
                let answer = guest.run(&cdb, room);
                assert_eq!(answer.status, 0, "{name}, {allocation} of {}", full.len());
                assert_eq!(answer.data, expected, "{name}, {allocation} of {}", full.len());
                assert_eq!((answer.residual, answer.overrun), (room - expected.len(), false), "{name}");
            }
            // One that is shorter than the allocation: what fits, and an overrun.
            if expected.len() > 3 {
                let answer = guest.run(&cdb, 3);
                assert_eq!((&answer.data[..], answer.residual, answer.overrun), (&expected[..3], 0, true), "{name}");
            }
        }
    }
}

#[test]
fn any_allocation_length_gives_a_prefix_of_the_same_answer() {
    for (blocks, own) in [(5000, CD), (1_000_000, DVD), (12_000_000, BD)] {
        let (_drive, guest) = Initiator::with(patterned(1, blocks));
        sweep(&guest, ANY_MEDIUM);
        sweep(&guest, own);
    }
}

/// Commands that return data of which the CDB does not tell the length in bytes: blocks, descriptors, or always the same.
const NO_ALLOCATION: [&str; 8] = [
    "READ (6)",
    "READ (10)",
    "READ (12)",
    "READ (16)",
    "READ CAPACITY (10)",
    "READ CD",
    "READ CD MSF",
    "GET PERFORMANCE",
];
/// Those that return none, among the commands of a drive with a disc.
const NO_DATA: [&str; 28] = [
    "TEST UNIT READY",
    "MODE SELECT (6)",
    "MODE SELECT (10)",
    "RESERVE (6)",
    "RELEASE (6)",
    "RESERVE (10)",
    "RELEASE (10)",
    "START STOP UNIT",
    "PREVENT ALLOW MEDIUM REMOVAL",
    "SEEK (10)",
    "VERIFY (10)",
    "VERIFY (12)",
    "VERIFY (16)",
    "PRE-FETCH (10)",
    "PRE-FETCH (16)",
    "SYNCHRONIZE CACHE (10)",
    "LOAD/UNLOAD MEDIUM",
    "SEND KEY",
    "SET READ AHEAD",
    "SET STREAMING",
    "SET CD SPEED",
    "PLAY AUDIO (10)",
    "PLAY AUDIO (12)",
    "PLAY AUDIO MSF",
    "PLAY AUDIO TRACK INDEX",
    "PAUSE/RESUME",
    "STOP PLAY/SCAN",
    "SCAN",
];

#[test]
fn no_command_with_an_allocation_length_is_left_out() {
    let rows = || ANY_MEDIUM.iter().chain(CD).chain(DVD).chain(BD);
    for command in COMMANDS.iter() {
        let swept = rows().any(|(_, cdb, ..)| {
            cdb[0] == command.opcode && command.service_action.is_none_or(|action| cdb[1] & 0x1F == action)
        });
        let other = NO_ALLOCATION.contains(&command.name) || NO_DATA.contains(&command.name);
        assert!(swept != other, "{}", command.name);
    }
}
