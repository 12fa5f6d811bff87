//! What holds for every row of the table of commands.

use spindle::drive::{COMMANDS, Command, MediumNeed};

use crate::support::disc::patterned;
use crate::support::initiator::{Answer, Initiator};

const ROOM: usize = 8192;

/// The shortest CDB of a row: operation code and service action, everything else zero.
fn plain(command: &Command) -> Vec<u8> {
    let mut cdb = vec![0; command.usage.len()];
    cdb[0] = command.opcode;
    cdb[1] = command.service_action.unwrap_or(0);
    cdb
}

fn run(guest: &Initiator, cdb: &[u8]) -> Answer {
    guest.send(cdb, ROOM, &[0; 64])
}

#[test]
fn rows_are_in_order_and_unique() {
    let keys: Vec<_> = COMMANDS.iter().map(|command| (command.opcode, command.service_action)).collect();
    assert!(keys.is_sorted_by(|a, b| a < b), "{keys:02x?}");
    for pair in COMMANDS.windows(2).filter(|pair| pair[0].opcode == pair[1].opcode) {
        assert!(pair.iter().all(|command| command.service_action.is_some()), "{}", pair[0].name);
    }
}

#[test]
fn usage_maps_have_the_form_of_their_cdb() {
    for command in COMMANDS.iter() {
        let len = match command.opcode >> 5 {
            0 => 6,
            1 | 2 => 10,
            4 => 16,
            5 => 12,
            _ => panic!("{} is in a vendor-specific or reserved group", command.name),
        };
        assert_eq!(command.usage.len(), len, "{}", command.name);
        assert_eq!(command.usage[0], command.opcode, "{}", command.name);
        if let Some(action) = command.service_action {
            assert_eq!(command.usage[1] & 0x1F, action, "{}", command.name);
        }
    }
}

#[test]
fn a_pending_unit_attention_is_reported_by_the_commands_that_must() {
    for command in COMMANDS.iter() {
        let (_drive, guest) = Initiator::fresh();
        let answer = run(&guest, &plain(command));
        assert_eq!(answer.kaq() == (6, 0x29, 0), command.access.attention, "{}: {answer:02x?}", command.name);
        let kept = run(&guest, &[0; 6]).kaq() == (6, 0x29, 0);
        // REQUEST SENSE returns the attention as data.
        assert_eq!(kept, !command.access.attention && command.opcode != 0x03, "{}", command.name);
    }
}

#[test]
fn the_commands_that_pass_a_unit_attention_are_those_of_the_standards() {
    let passing: Vec<_> = COMMANDS.iter().filter(|row| !row.access.attention).map(|row| row.opcode).collect();
    // REQUEST SENSE, INQUIRY (SPC-4, 6.4), GET CONFIGURATION, GET EVENT STATUS NOTIFICATION (MMC-6), REPORT LUNS.
    assert_eq!(passing, [0x03, 0x12, 0x46, 0x4A, 0xA0]);
}

#[test]
fn without_a_medium_the_sense_tells_the_tray() {
    for command in COMMANDS.iter() {
        let (drive, guest) = Initiator::fresh();
        guest.settle();
        let needs = command.access.medium == MediumNeed::Needed;
        let closed = run(&guest, &plain(command));
        drive.open_tray(true).unwrap();
        drive.insert_medium(patterned(1, 300)).unwrap();
        let open = run(&guest, &plain(command));
        if needs {
            assert_eq!((closed.kaq(), open.kaq()), ((2, 0x3A, 1), (2, 0x3A, 2)), "{}", command.name);
            assert!(closed.data.is_empty() && open.data.is_empty());
        } else {
            // REPORT KEY needs one by its key format, and that of zeros does: see `key`.
            let by_format = command.opcode == 0xA4;
            assert_eq!((closed.kaq().0, open.kaq().0) == (2, 2), by_format, "{}", command.name);
        }
    }
}

#[test]
fn a_reservation_of_another_is_a_conflict_where_the_row_says_so() {
    for command in COMMANDS.iter() {
        let (_drive, holder) = Initiator::with(patterned(1, 300));
        let other = holder.other(7);
        other.settle();
        run(&holder, &[0x16, 0, 0, 0, 0, 0]).good();
        // The plain PREVENT ALLOW MEDIUM REMOVAL allows, which takes nothing from the holder.
        let expected = command.access.reservation && command.opcode != 0x1E;
        assert_eq!(run(&other, &plain(command)).status == 0x18, expected, "{}", command.name);
    }
}

#[test]
fn aca_is_refused_by_every_command_before_anything_happens() {
    for command in COMMANDS.iter() {
        let (_drive, guest) = Initiator::fresh();
        let mut cdb = plain(command);
        let control = cdb.len() - 1;
        cdb[control] |= 0x04;
        let answer = run(&guest, &cdb);
        assert_eq!(answer.kaq(), (5, 0x24, 0), "{}", command.name);
        assert_eq!(answer.sense[15..18], [0xCA, 0, control as u8], "{}", command.name);
        assert_eq!(run(&guest, &[0; 6]).kaq(), (6, 0x29, 0), "{}", command.name);
    }
}

#[test]
fn operation_codes_without_a_row_are_invalid() {
    let (_drive, guest) = Initiator::fresh();
    for opcode in (0..=0xFF).filter(|opcode| COMMANDS.iter().all(|command| command.opcode != *opcode)) {
        assert_eq!(run(&guest, &[opcode; 16]).kaq(), (5, 0x20, 0), "{opcode:02x}");
    }
}

/// xorshift64*: the same CDBs every time.
fn random(seed: u64) -> impl FnMut() -> u8 {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    move || {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 56) as u8
    }
}

#[test]
fn a_bit_outside_the_usage_map_changes_nothing() {
    let (drive, guest) = Initiator::with(patterned(1, 300));
    // Each answer must not depend on the one before, so both are taken from the same start.
    let from_the_start = |cdb: &[u8]| {
        spindle::scsi::LogicalUnit::reset(&*drive, spindle::scsi::Reset::PowerOn);
        drive.close_tray();
        guest.settle();
        let answer = run(&guest, cdb);
        (answer, format!("{:?}", drive.snapshot()))
    };
    for command in COMMANDS.iter() {
        for seed in 0..6 {
            // All zeros; every field one; random fields, the first ones small.
            let mut next = random(seed);
            let mut cdb = plain(command);
            for (byte, mask) in cdb.iter_mut().zip(command.usage).skip(2) {
                *byte = mask & [0x00, 0x01, next() & next() & next(), next() & 0x0F, next(), 0xFF][seed as usize];
            }
            if command.service_action.is_none() {
                cdb[1] = command.usage[1] & [0x00, 0x01, next(), next(), next(), 0x00][seed as usize];
            }
            let expected = from_the_start(&cdb);
            for bit in 8..cdb.len() * 8 {
                let (byte, mask) = (bit / 8, 0x80_u8 >> (bit % 8));
                let naca = byte == cdb.len() - 1 && mask == 0x04;
                let action = byte == 1 && command.service_action.is_some() && mask & 0x1F != 0;
                if command.usage[byte] & mask == 0 && !naca && !action {
                    let mut changed = cdb.clone();
                    changed[byte] ^= mask;
                    assert_eq!(from_the_start(&changed), expected, "{} {changed:02x?}", command.name);
                }
            }
        }
    }
}
