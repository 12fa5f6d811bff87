//! Every command that returns data, with a medium of every kind and with none, and every allocation length from 0 to more than there
//! is: what fits is a prefix of the whole answer, which tells its own length, and the rest is a residual.

use std::sync::Arc;

use spindle::disc::TrackMode::{Audio, Mode1, Mode2Xa};
use spindle::disc::cdtext::{CdText, ENGLISH, Kind, encode};
use spindle::disc::{Disc, FullTocEntry, MediumType, StoredStructure};
use spindle::drive::{COMMANDS, Medium};

use crate::support::disc::{cd, of, patterned};
use crate::support::initiator::Initiator;

/// Name, CDB, and where ALLOCATION LENGTH lies in it: first byte and width; the same of the answer's own length field, if it has
/// one, with how much shorter than the answer its value is; and the media with which the command succeeds.
type Row = (&'static str, &'static [u8], (usize, usize), Option<(usize, usize, usize)>, With);

/// With which medium a command has an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum With {
    AnyOrNone,
    Any,
    Cd,
    /// A CD with data at its beginning.
    Data,
    Dvd,
    Bd,
    /// A DVD or BD.
    Large,
}

const NO_FIELD: Option<(usize, usize, usize)> = None;
/// Two bytes, then what they count.
const TWO: Option<(usize, usize, usize)> = Some((0, 2, 2));
/// Four bytes, then what they count.
const FOUR: Option<(usize, usize, usize)> = Some((0, 4, 4));
const SENSE: Option<(usize, usize, usize)> = Some((7, 1, 8));
/// Of a VPD page, a log page, and the data of a sub-channel.
const PAGE: Option<(usize, usize, usize)> = Some((2, 2, 4));

const FUNCTIONS: &str = "REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS";
const ROWS: &[Row] = &[
    ("REQUEST SENSE", &[0x03, 0, 0, 0, 0, 0], (4, 1), SENSE, With::AnyOrNone),
    ("REQUEST SENSE, descriptor", &[0x03, 1, 0, 0, 0, 0], (4, 1), SENSE, With::AnyOrNone),
    ("INQUIRY", &[0x12, 0, 0, 0, 0, 0], (3, 2), Some((4, 1, 5)), With::AnyOrNone),
    ("INQUIRY, 00h", &[0x12, 1, 0x00, 0, 0, 0], (3, 2), PAGE, With::AnyOrNone),
    ("INQUIRY, 80h", &[0x12, 1, 0x80, 0, 0, 0], (3, 2), PAGE, With::AnyOrNone),
    ("INQUIRY, 83h", &[0x12, 1, 0x83, 0, 0, 0], (3, 2), PAGE, With::AnyOrNone),
    ("MODE SENSE (6)", &[0x1A, 0, 0x3F, 0, 0, 0], (4, 1), Some((0, 1, 1)), With::AnyOrNone),
    ("MODE SENSE (10)", &[0x5A, 0, 0x3F, 0, 0, 0, 0, 0, 0, 0], (7, 2), TWO, With::AnyOrNone),
    ("MODE SENSE (10), changeable", &[0x5A, 0, 0x7F, 0, 0, 0, 0, 0, 0, 0], (7, 2), TWO, With::AnyOrNone),
    ("MODE SENSE (10), one page", &[0x5A, 0, 0x2A, 0, 0, 0, 0, 0, 0, 0], (7, 2), TWO, With::AnyOrNone),
    ("LOG SENSE", &[0x4D, 0, 0x40, 0, 0, 0, 0, 0, 0, 0], (7, 2), PAGE, With::AnyOrNone),
    ("LOG SENSE, subpages", &[0x4D, 0, 0x40, 0xFF, 0, 0, 0, 0, 0, 0], (7, 2), PAGE, With::AnyOrNone),
    ("REPORT LUNS", &[0xA0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], (6, 4), Some((0, 4, 8)), With::AnyOrNone),
    ("REPORT LUNS, 01h", &[0xA0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0], (6, 4), Some((0, 4, 8)), With::AnyOrNone),
    ("REPORT SUPPORTED OPERATION CODES", &[0xA3, 0x0C, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], (6, 4), FOUR, With::AnyOrNone),
    ("the same, timeouts", &[0xA3, 0x0C, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0], (6, 4), FOUR, With::AnyOrNone),
    ("the same, one", &[0xA3, 0x0C, 1, 0x28, 0, 0, 0, 0, 0, 0, 0, 0], (6, 4), PAGE, With::AnyOrNone),
    (FUNCTIONS, &[0xA3, 0x0D, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0], (6, 4), Some((3, 1, 4)), With::AnyOrNone),
    ("GET CONFIGURATION", &[0x46, 0, 0, 0, 0, 0, 0, 0, 0, 0], (7, 2), FOUR, With::AnyOrNone),
    ("GET CONFIGURATION, current", &[0x46, 1, 0, 0, 0, 0, 0, 0, 0, 0], (7, 2), FOUR, With::AnyOrNone),
    ("GET CONFIGURATION, one", &[0x46, 2, 0, 0x1E, 0, 0, 0, 0, 0, 0], (7, 2), FOUR, With::AnyOrNone),
    ("GET EVENT STATUS NOTIFICATION", &[0x4A, 1, 0, 0, 0x10, 0, 0, 0, 0, 0], (7, 2), TWO, With::AnyOrNone),
    ("the same, no class", &[0x4A, 1, 0, 0, 0, 0, 0, 0, 0, 0], (7, 2), TWO, With::AnyOrNone),
    ("MECHANISM STATUS", &[0xBD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], (8, 2), Some((6, 2, 8)), With::AnyOrNone),
    ("READ FORMAT CAPACITIES", &[0x23, 0, 0, 0, 0, 0, 0, 0, 0, 0], (7, 2), Some((3, 1, 4)), With::AnyOrNone),
    ("READ BUFFER CAPACITY", &[0x5C, 0, 0, 0, 0, 0, 0, 0, 0, 0], (7, 2), TWO, With::AnyOrNone),
    ("READ BUFFER CAPACITY, blocks", &[0x5C, 1, 0, 0, 0, 0, 0, 0, 0, 0], (7, 2), TWO, With::AnyOrNone),
    ("REPORT KEY, 08h", &[0xA4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0], (8, 2), TWO, With::AnyOrNone),
    ("REPORT KEY, 05h", &[0xA4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0], (8, 2), TWO, With::Dvd),
    ("READ CAPACITY (16)", &[0x9E, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], (10, 4), NO_FIELD, With::Any),
    ("READ TOC, 0", &[0x43, 0, 0, 0, 0, 0, 0, 0, 0, 0], (7, 2), TWO, With::Any),
    ("READ TOC, 0, lead-out", &[0x43, 2, 0, 0, 0, 0, 0xAA, 0, 0, 0], (7, 2), TWO, With::Any),
    ("READ TOC, 1", &[0x43, 2, 1, 0, 0, 0, 0, 0, 0, 0], (7, 2), TWO, With::Any),
    ("READ TOC, 2", &[0x43, 2, 2, 0, 0, 0, 0, 0, 0, 0], (7, 2), TWO, With::Any),
    ("READ TOC, SFF-8020", &[0x43, 0, 0, 0, 0, 0, 0, 0, 0, 0x40], (7, 2), TWO, With::Any),
    ("READ TOC, 5", &[0x43, 2, 5, 0, 0, 0, 0, 0, 0, 0], (7, 2), TWO, With::Cd),
    ("READ DISC INFORMATION", &[0x51, 0, 0, 0, 0, 0, 0, 0, 0, 0], (7, 2), TWO, With::Any),
    ("READ TRACK INFORMATION, block", &[0x52, 0, 0, 0, 0, 9, 0, 0, 0, 0], (7, 2), TWO, With::Any),
    ("READ TRACK INFORMATION, track", &[0x52, 1, 0, 0, 0, 1, 0, 0, 0, 0], (7, 2), TWO, With::Any),
    ("READ TRACK INFORMATION, session", &[0x52, 2, 0, 0, 0, 1, 0, 0, 0, 0], (7, 2), TWO, With::Any),
    ("READ SUB-CHANNEL, none", &[0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0], (7, 2), PAGE, With::Cd),
    ("READ SUB-CHANNEL, 01h", &[0x42, 0, 0x40, 1, 0, 0, 0, 0, 0, 0], (7, 2), PAGE, With::Cd),
    ("READ SUB-CHANNEL, 02h", &[0x42, 0, 0x40, 2, 0, 0, 0, 0, 0, 0], (7, 2), PAGE, With::Cd),
    ("READ SUB-CHANNEL, 03h", &[0x42, 0, 0x40, 3, 0, 0, 1, 0, 0, 0], (7, 2), PAGE, With::Cd),
    ("READ HEADER", &[0x44, 0, 0, 0, 0, 9, 0, 0, 0, 0], (7, 2), NO_FIELD, With::Data),
    ("READ DISC STRUCTURE, 00h", &[0xAD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], (8, 2), TWO, With::Dvd),
    ("READ DISC STRUCTURE, 01h", &[0xAD, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0], (8, 2), TWO, With::Dvd),
    ("READ DISC STRUCTURE, 04h", &[0xAD, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0], (8, 2), TWO, With::Dvd),
    ("READ DISC STRUCTURE, 05h", &[0xAD, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0], (8, 2), TWO, With::Dvd),
    ("READ DISC STRUCTURE, BD 00h", &[0xAD, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], (8, 2), TWO, With::Bd),
    ("READ DISC STRUCTURE, C0h", &[0xAD, 0, 0, 0, 0, 0, 0, 0xC0, 0, 0, 0, 0], (8, 2), TWO, With::Large),
    ("READ DISC STRUCTURE, FFh", &[0xAD, 0, 0, 0, 0, 0, 0, 0xFF, 0, 0, 0, 0], (8, 2), TWO, With::Large),
];

impl With {
    fn answers(self, medium: Option<&Medium>) -> bool {
        let kind = medium.map(|medium| medium.disc.medium);
        match self {
            Self::AnyOrNone => true,
            Self::Any => kind.is_some(),
            Self::Cd => kind == Some(MediumType::CdRom),
            Self::Data => Self::Cd.answers(medium) && medium.unwrap().disc.tracks().next().unwrap().mode.is_data(),
            Self::Dvd => kind == Some(MediumType::DvdRom),
            Self::Bd => kind == Some(MediumType::BdRom),
            Self::Large => Self::Any.answers(medium) && !Self::Cd.answers(medium),
        }
    }
}

/// A CD of each kind, DVDs and BDs of few and of many layers, and none.
fn media() -> Vec<(&'static str, Option<Arc<Medium>>)> {
    let mut audio = cd(1, &[&[(Audio, 1000), (Audio, 2000), (Audio, 300)]]);
    let texts = (0..=3).map(|track| ((Kind::Title, track), format!("Title of track {track}"))).collect();
    audio.sessions[0].cd_text = encode(&[CdText { language: ENGLISH, texts }], 1, 3);
    let mut open = cd(1, &[&[(Mode1, 500)]]);
    open.sessions[0].mode_5 = vec![FullTocEntry::from_bytes([1, 0x54, 0, 0xB0, 2, 38, 50, 1, 79, 57, 74])];
    let stored = |blocks, format, len| {
        let structures = vec![StoredStructure { layer: 0, format, data: vec![7; len] }];
        of(Disc { structures, ..patterned(1, blocks).disc.clone() })
    };
    let discs = [
        ("audio CD", of(audio)),
        ("data CD", patterned(1, 5000)),
        ("mixed CD", of(cd(1, &[&[(Mode1, 1000), (Audio, 500)]]))),
        ("sessions", of(cd(1, &[&[(Audio, 1000)], &[(Mode2Xa, 600)], &[(Mode1, 400)]]))),
        ("open CD", of(open)),
        ("DVD", patterned(1, 1_000_000)),
        ("DVD of two layers", stored(4_000_000, 0x03, 188)),
        ("BD", patterned(1, 12_000_000)),
        ("BD of four layers", stored(60_000_000, 0x03, 64)),
    ];
    discs.into_iter().map(|(name, disc)| (name, Some(disc))).chain([("no medium", None)]).collect()
}

fn with_allocation(cdb: &[u8], (at, width): (usize, usize), allocation: usize) -> Vec<u8> {
    let mut cdb = cdb.to_vec();
    cdb[at..at + width].copy_from_slice(&(allocation as u64).to_be_bytes()[8 - width..]);
    cdb
}

/// Checks the answers to one row, of which `full` is whole.
fn sweep(guest: &Initiator, &(name, cdb, place, field, _): &Row, full: &[u8], medium: &str) {
    if let Some((at, width, shorter)) = field {
        let told = full[at..at + width].iter().fold(0, |value, &byte| value << 8 | usize::from(byte));
        assert_eq!(told + shorter, full.len(), "{name}, {medium}");
    }
    // The functions want room for four bytes (SPC-4, 6.36).
    let first = if name == FUNCTIONS { 4 } else { 0 };
    let most = if place.1 == 1 { 0xFF } else { usize::MAX };
    for allocation in (first..full.len() + 3).chain([full.len() + 100]).filter(|allocation| *allocation <= most) {
        let expected = &full[..allocation.min(full.len())];
        let cdb = with_allocation(cdb, place, allocation);
        // A buffer as long as the allocation or longer, and one that is shorter: what fits, and an overrun.
        let longer = allocation + allocation % 3 * 150;
        for room in [longer].into_iter().chain((expected.len() > 3).then_some(3)) {
            let answer = guest.run(&cdb, room);
            let given = &expected[..room.min(expected.len())];
            assert_eq!(answer.status, 0, "{name}, {medium}, {allocation} of {}", full.len());
            assert!(answer.data == given, "{name}, {medium}, {allocation} of {}: {:02x?}", full.len(), answer.data);
            let rest = (room - given.len(), given.len() < expected.len());
            assert_eq!((answer.residual, answer.overrun), rest, "{name}, {medium}, {allocation}");
        }
    }
}

#[test]
fn any_allocation_length_gives_a_prefix_of_the_same_answer() {
    for (medium, disc) in media() {
        let guest = match &disc {
            Some(disc) => Initiator::with(Arc::clone(disc)).1,
            None => {
                let guest = Initiator::fresh().1;
                guest.settle();
                guest
            }
        };
        for row in ROWS {
            let &(name, cdb, place, _, with) = row;
            let most = if place.1 == 1 { 0xFF } else { 0x3000 };
            let whole = guest.run(&with_allocation(cdb, place, most), most);
            if with.answers(disc.as_deref()) {
                let full = whole.good();
                assert!((4..most).contains(&full.len()), "{name}, {medium}: {}", full.len());
                sweep(&guest, row, &full, medium);
            } else {
                // No allocation is so short that a command which must fail does not.
                for allocation in [0, 1, 4, most] {
                    let answer = guest.run(&with_allocation(cdb, place, allocation), most);
                    assert_eq!((answer.kaq(), answer.data.len()), (whole.kaq(), 0), "{name}, {medium}");
                    assert_ne!(answer.status, 0, "{name}, {medium}");
                }
            }
        }
        if let Some(disc) = &disc {
            fixed_lengths(&guest, medium, disc.disc.blocks());
        }
    }
}

/// READ CAPACITY (10), whose answer has one length, and GET PERFORMANCE, which is told how many descriptors to return.
fn fixed_lengths(guest: &Initiator, medium: &str, blocks: u32) {
    let capacity = [(blocks - 1).to_be_bytes(), 2048_u32.to_be_bytes()].concat();
    for room in 0..20 {
        let answer = guest.run(&[0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0], room);
        assert_eq!((answer.status, &answer.data[..]), (0, &capacity[..room.min(8)]), "{medium}");
        assert_eq!((answer.residual, answer.overrun), (room.saturating_sub(8), room < 8), "{medium}");
    }
    for (data_type, descriptors) in [(0x10, 1), (0x12, 0)] {
        let performance = |most: u8, room| guest.run(&[0xAC, data_type, 0, 0, 0, 0, 0, 0, 0, most, 0, 0], room);
        let full = performance(0xFF, 0x2000).good();
        assert_eq!(full.len(), 8 + 16 * descriptors, "{medium}");
        assert_eq!(full[..4], (full.len() as u32 - 4).to_be_bytes(), "{medium}");
        for most in 0..3 {
            let expected = &full[..full.len().min(8 + 16 * usize::from(most))];
            for room in 0..30 {
                let answer = performance(most, room);
                assert_eq!((answer.status, &answer.data[..]), (0, &expected[..room.min(expected.len())]), "{medium}");
                let rest = (room.saturating_sub(expected.len()), room < expected.len());
                assert_eq!((answer.residual, answer.overrun), rest, "{medium}");
            }
        }
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
    for command in COMMANDS.iter() {
        let swept = ROWS.iter().any(|(_, cdb, ..)| {
            cdb[0] == command.opcode && command.service_action.is_none_or(|action| cdb[1] & 0x1F == action)
        });
        let other = NO_ALLOCATION.contains(&command.name) || NO_DATA.contains(&command.name);
        assert!(swept != other, "{}", command.name);
    }
}
