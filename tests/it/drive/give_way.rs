//! Commands that take long and stop between two parts when they are asked to.

use std::cell::Cell;

use spindle::disc::TrackMode::Mode1;
use spindle::drive::{Drive, Identity, Tray};
use spindle::scsi::{DataIn, DataOut, GivesWay, LogicalUnit, Nexus, Status, Task};
use spindle::source::Scatter;
use spindle::sys::memory::anonymous;
use vm_memory::{GuestAddress, GuestMemoryBackend};

use crate::support::disc::{cd, of};

/// Three parts and a half.
const BLOCKS: u32 = 57_344;
const PIECE: usize = 1 << 20;

#[test]
fn commands_that_take_long_give_way_between_their_parts_and_no_others() {
    let drive = Drive::new(Identity::named("cd0"), Tray::Closed);
    drive.change_medium(of(cd(1, &[&[(Mode1, BLOCKS)]])), false).unwrap();
    let memory = anonymous(PIECE).unwrap();
    // As long as all that can come, and the same memory over and over.
    let piece = memory.get_slice(GuestAddress(0), PIECE).unwrap();
    let pieces = vec![piece; 150];
    let run = |cdb: &[u8], stop: u32| {
        let mut padded = [0; 32];
        padded[..cdb.len()].copy_from_slice(cdb);
        let asked = Cell::new(0);
        let stops = || {
            asked.set(asked.get() + 1);
            asked.get() == stop
        };
        let (data_in, data_out) = (DataIn::new(Scatter::new(&pieces)), DataOut::new(Scatter::new(&[])));
        let gives_way = GivesWay(Some(&stops));
        let mut task = Task { gives_way, ..Task::new(Nexus(0), &[], padded, data_in, data_out) };
        let status = drive.execute(&mut task);
        (asked.get(), task.given_up, task.given_up || status == Status::Good)
    };
    while !run(&[0; 6], 0).2 {}
    let verify = |blocks: u32| [&[0xAF, 0, 0, 0, 0, 0][..], &blocks.to_be_bytes(), &[0, 0]].concat();
    let read = |blocks: u32| [&[0xA8, 0, 0, 0, 0, 0][..], &blocks.to_be_bytes(), &[0, 0]].concat();
    let read_cd = |blocks: u32| [&[0xBE, 0, 0, 0, 0, 0][..], &blocks.to_be_bytes()[1..], &[0x10, 0, 0]].concat();
    let all: [&dyn Fn(u32) -> Vec<u8>; 3] = [&verify, &read, &read_cd];
    for command in all {
        let cdb = command(BLOCKS);
        assert_eq!(run(&cdb, 0), (3, false, true), "{cdb:x?}");
        assert_eq!(run(&cdb, 2), (2, true, true), "{cdb:x?}");
        let cdb = command(16_384);
        assert_eq!(run(&cdb, 1), (0, false, true), "{cdb:x?}");
    }
}
