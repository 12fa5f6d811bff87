//! Every command with an allocation length: what fits is a prefix of the whole answer, and the rest is a residual.

use crate::support::disc::patterned;
use crate::support::initiator::Initiator;

/// Name, CDB, first byte and width of ALLOCATION LENGTH.
type Row = (&'static str, &'static [u8], usize, usize);

const ANY_MEDIUM: &[Row] = &[
    ("REQUEST SENSE", &[0x03, 0, 0, 0, 0, 0], 4, 1),
    ("REQUEST SENSE, descriptor", &[0x03, 1, 0, 0, 0, 0], 4, 1),
    ("INQUIRY", &[0x12, 0, 0, 0, 0, 0], 3, 2),
    ("INQUIRY, 00h", &[0x12, 1, 0x00, 0, 0, 0], 3, 2),
    ("INQUIRY, 80h", &[0x12, 1, 0x80, 0, 0, 0], 3, 2),
    ("INQUIRY, 83h", &[0x12, 1, 0x83, 0, 0, 0], 3, 2),
    ("MODE SENSE (6)", &[0x1A, 0, 0x3F, 0, 0, 0], 4, 1),
    ("READ FORMAT CAPACITIES", &[0x23, 0, 0, 0, 0, 0, 0, 0, 0, 0], 7, 2),
    ("READ TOC, 0", &[0x43, 0, 0, 0, 0, 0, 0, 0, 0, 0], 7, 2),
    ("READ TOC, 1", &[0x43, 2, 1, 0, 0, 0, 0, 0, 0, 0], 7, 2),
    ("READ TOC, 2", &[0x43, 2, 2, 0, 0, 0, 0, 0, 0, 0], 7, 2),
    ("GET CONFIGURATION", &[0x46, 0, 0, 0, 0, 0, 0, 0, 0, 0], 7, 2),
    ("GET EVENT STATUS NOTIFICATION", &[0x4A, 1, 0, 0, 0x10, 0, 0, 0, 0, 0], 7, 2),
    ("GET EVENT STATUS NOTIFICATION, no class", &[0x4A, 1, 0, 0, 0, 0, 0, 0, 0, 0], 7, 2),
    ("READ DISC INFORMATION", &[0x51, 0, 0, 0, 0, 0, 0, 0, 0, 0], 7, 2),
    ("READ TRACK INFORMATION", &[0x52, 1, 0, 0, 0, 1, 0, 0, 0, 0], 7, 2),
    ("MODE SENSE (10)", &[0x5A, 0, 0x3F, 0, 0, 0, 0, 0, 0, 0], 7, 2),
    ("READ BUFFER CAPACITY", &[0x5C, 0, 0, 0, 0, 0, 0, 0, 0, 0], 7, 2),
    ("READ CAPACITY (16)", &[0x9E, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 10, 4),
    ("REPORT LUNS", &[0xA0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 6, 4),
    ("REPORT SUPPORTED OPERATION CODES", &[0xA3, 0x0C, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 6, 4),
    ("REPORT KEY, 08h", &[0xA4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0], 8, 2),
    ("MECHANISM STATUS", &[0xBD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 8, 2),
];
const CD: &[Row] = &[
    ("READ SUB-CHANNEL, none", &[0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0], 7, 2),
    ("READ SUB-CHANNEL, 01h", &[0x42, 0, 0x40, 1, 0, 0, 0, 0, 0, 0], 7, 2),
    ("READ SUB-CHANNEL, 02h", &[0x42, 0, 0x40, 2, 0, 0, 0, 0, 0, 0], 7, 2),
    ("READ SUB-CHANNEL, 03h", &[0x42, 0, 0x40, 3, 0, 0, 1, 0, 0, 0], 7, 2),
    ("READ TOC, 5", &[0x43, 2, 5, 0, 0, 0, 0, 0, 0, 0], 7, 2),
    ("READ HEADER", &[0x44, 0, 0, 0, 0, 9, 0, 0, 0, 0], 7, 2),
];
const DVD: &[Row] = &[
    ("READ DISC STRUCTURE, 00h", &[0xAD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 8, 2),
    ("READ DISC STRUCTURE, 01h", &[0xAD, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0], 8, 2),
    ("READ DISC STRUCTURE, 04h", &[0xAD, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0], 8, 2),
    ("READ DISC STRUCTURE, 05h", &[0xAD, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0], 8, 2),
    ("READ DISC STRUCTURE, C0h", &[0xAD, 0, 0, 0, 0, 0, 0, 0xC0, 0, 0, 0, 0], 8, 2),
    ("REPORT KEY, 05h", &[0xA4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0], 8, 2),
    ("READ DISC STRUCTURE, FFh", &[0xAD, 0, 0, 0, 0, 0, 0, 0xFF, 0, 0, 0, 0], 8, 2),
];
const BD: &[Row] = &[("READ DISC STRUCTURE, BD 00h", &[0xAD, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 8, 2)];

fn with_allocation(cdb: &[u8], at: usize, width: usize, allocation: usize) -> Vec<u8> {
    let mut cdb = cdb.to_vec();
    cdb[at..at + width].copy_from_slice(&(allocation as u64).to_be_bytes()[8 - width..]);
    cdb
}

fn sweep(guest: &Initiator, rows: &[Row]) {
    for &(name, cdb, at, width) in rows {
        let most = if width == 1 { 255 } else { 0x3000 };
        let full = guest.run(&with_allocation(cdb, at, width, most), most).good();
        assert!((4..most - 100).contains(&full.len()), "{name}: {}", full.len());
        for allocation in [0, 1, 2, 4, full.len() - 1, full.len(), full.len() + 100] {
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
