//! Commands over the request queues (virtio 1.2, 5.6.6.1).

use super::{BAD_TARGET, INCORRECT_LUN, INQUIRY, OK, OVERRUN, READ, TEST_UNIT_READY, with_disc};
use crate::support::disc::block;
use crate::support::guest::{Command, EVENT_IDX, INDIRECT, Layout, Options, REQUESTS, lun};

/// What READ returns.
fn blocks() -> Vec<u8> {
    [block(1, 7), block(1, 8)].concat()
}

#[test]
fn every_layout_of_a_request_gives_the_same_answer() {
    for features in [0, EVENT_IDX, INDIRECT, EVENT_IDX | INDIRECT] {
        let (_drive, _backend, mut guest) = with_disc(Options { features, ring_size: 1024, ..Options::default() });
        for layout in [Layout::Separate, Layout::Joined, Layout::Cut(5), Layout::Cut(64), Layout::Cut(109)] {
            let reply = guest.command(REQUESTS, &Command { layout, ..Command::new(&READ, 4096) });
            assert_eq!((reply.response, reply.status, reply.residual), (OK, 0, 0), "{features:#x} {layout:?}");
            assert_eq!((reply.written, reply.data), (108 + 4096, blocks()), "{features:#x} {layout:?}");
        }
    }
}

#[test]
fn data_to_the_drive_arrives_in_every_layout() {
    // VERIFY (10) with BYTCHK 1 compares what was sent with the block.
    let verify = [0x2F, 2, 0, 0, 0, 7, 0, 0, 2, 0];
    let mut wrong = blocks();
    wrong[4095] ^= 1;
    for features in [0, INDIRECT] {
        let (_drive, _backend, mut guest) = with_disc(Options { features, ring_size: 1024, ..Options::default() });
        for layout in [Layout::Separate, Layout::Joined, Layout::Cut(7)] {
            let right = Command { layout, out: &blocks(), ..Command::new(&verify, 0) };
            let reply = guest.command(REQUESTS, &right);
            assert_eq!((reply.response, reply.status, reply.residual), (OK, 0, 0), "{layout:?}");
            let reply = guest.command(REQUESTS, &Command { out: &wrong, ..right });
            assert_eq!((reply.status, reply.sense[2] & 0xF), (2, 0xE), "{layout:?}");
        }
    }
}

#[test]
fn the_residual_counts_the_room_that_was_not_used() {
    let (_drive, _backend, mut guest) = with_disc(Options::default());
    let reply = guest.command(REQUESTS, &Command::new(&READ, 5000));
    assert_eq!((reply.response, reply.residual, reply.written), (OK, 5000 - 4096, 108 + 4096));
    let reply = guest.command(REQUESTS, &Command::new(&TEST_UNIT_READY, 100));
    assert_eq!((reply.response, reply.residual, reply.written), (OK, 100, 108));
}

#[test]
fn more_data_than_room_is_an_overrun() {
    let (_drive, _backend, mut guest) = with_disc(Options::default());
    let reply = guest.command(REQUESTS, &Command::new(&READ, 2048));
    assert_eq!((reply.response, reply.status, reply.residual), (OVERRUN, 0, 0));
    assert_eq!(reply.data, block(1, 7));
}

#[test]
fn an_answer_writes_nothing_but_its_bytes() {
    let (_drive, _backend, mut guest) = with_disc(Options::default());
    let (pieces, response) = guest.lay_out(&Command::new(&READ, 5000));
    guest.submit(REQUESTS, &pieces);
    guest.wait(REQUESTS);
    assert_eq!(guest.read(response + 108 + 4096, 5000 - 4096), vec![0xA5; 5000 - 4096]);
    // The sense area of a command that needs none is zero, not the guest's own bytes.
    assert_eq!(
        guest.read(response, 108),
        vec![0; 4].into_iter().chain(904_u32.to_le_bytes()).chain([0; 100]).collect::<Vec<_>>()
    );
}

#[test]
fn sense_data_come_with_the_status() {
    let (_drive, _backend, mut guest) = with_disc(Options::default());
    let reply = guest.command(REQUESTS, &Command::new(&[0xFF; 6], 8));
    assert_eq!((reply.response, reply.status, reply.residual), (OK, 2, 8));
    assert_eq!((reply.sense.len(), reply.sense[2], reply.sense[12]), (18, 5, 0x20));
}

#[test]
fn indices_wrap_at_65536_and_descriptors_at_the_ring_size() {
    for features in [0, EVENT_IDX | INDIRECT] {
        let (_drive, _backend, mut guest) = with_disc(Options { features, ring_size: 8, ..Options::default() });
        guest.stop_ring(REQUESTS);
        guest.renew_ring(REQUESTS, 65_530);
        guest.start_ring(REQUESTS, 65_530);
        for _ in 0..40 {
            guest.free_all();
            assert_eq!(guest.command(REQUESTS, &Command::new(&READ, 4096)).data, blocks());
        }
        assert_eq!(guest.stop_ring(REQUESTS), 34);
    }
}

#[test]
fn chains_of_one_ring_come_back_in_order() {
    let (_drive, _backend, mut guest) = with_disc(Options::default());
    let cdbs: Vec<_> = (0..60_u8).map(|lba| [0x28, 0, 0, 0, 0, lba, 0, 0, 1, 0]).collect();
    let pending: Vec<_> = cdbs.iter().map(|cdb| guest.begin(REQUESTS, &Command::new(cdb, 2048))).collect();
    for (lba, pending) in (0..).zip(pending) {
        assert_eq!(guest.finish(pending).data, block(1, lba));
    }
}

#[test]
fn all_62_request_queues_are_served_at_once() {
    let (_drive, _backend, mut guest) = with_disc(Options { request_queues: 62, ..Options::default() });
    let cdbs: Vec<_> = (0..62_u8).map(|lba| [0x28, 0, 0, 0, 0, lba, 0, 0, 1, 0]).collect();
    for _ in 0..10 {
        guest.free_all();
        let pending: Vec<_> =
            (REQUESTS..).zip(&cdbs).map(|(queue, cdb)| guest.begin(queue, &Command::new(cdb, 2048))).collect();
        for (lba, pending) in (0..).zip(pending) {
            assert_eq!(guest.finish(pending).data, block(1, lba));
        }
    }
}

#[test]
fn the_lun_field_names_target_and_unit_in_both_forms() {
    let (_drive, _backend, mut guest) = with_disc(Options::default());
    for (field, response) in [
        // Flat space addressing, as Linux and firmware; peripheral device addressing, as Windows.
        ([1, 0, 0x40, 0, 0, 0, 0, 0], OK),
        ([1, 0, 0x00, 0, 0, 0, 0, 0], OK),
        // A unit that does not exist is answered by the target.
        ([1, 0, 0x40, 5, 0, 0, 0, 0], OK),
        ([1, 0, 0x7F, 0xFF, 0, 0, 0, 0], OK),
        ([1, 0, 0x00, 5, 0, 0, 0, 0], OK),
        // Other targets do not.
        ([1, 1, 0x40, 0, 0, 0, 0, 0], BAD_TARGET),
        ([1, 255, 0x00, 0, 0, 0, 0, 0], BAD_TARGET),
        // The REPORT LUNS well-known unit, and fields of no form that 5.6.6.1 allows.
        ([0xC1, 1, 0, 0, 0, 0, 0, 0], INCORRECT_LUN),
        ([0, 0, 0x40, 0, 0, 0, 0, 0], INCORRECT_LUN),
        ([1, 0, 0x80, 0, 0, 0, 0, 0], INCORRECT_LUN),
    ] {
        let reply = guest.command(REQUESTS, &Command { lun: field, ..Command::new(&INQUIRY, 36) });
        assert_eq!(reply.response, response, "{field:02x?}");
        if response == OK {
            let exists = field[2] & 0x3F == 0 && field[3] == 0;
            assert_eq!(reply.data[0], if exists { 0x05 } else { 0x7F }, "{field:02x?}");
        } else {
            assert_eq!((reply.status, reply.residual, reply.written), (0, 36, 108), "{field:02x?}");
        }
    }
}

#[test]
fn each_drive_is_a_unit_of_its_own() {
    use std::sync::Arc;

    use spindle::drive::{Drive, Identity, Tray};

    use crate::support::backend::Backend;
    use crate::support::disc::patterned;

    let drives: Vec<_> =
        (0..8).map(|at| Arc::new(Drive::new(Identity::named(&format!("cd{at}")), Tray::Closed))).collect();
    for (seed, drive) in (0..).zip(&drives) {
        drive.change_medium(patterned(seed, 20), false).unwrap();
    }
    let backend = Backend::serve(&drives);
    let mut guest = backend.guest(Options::default());
    for seed in 0..8 {
        let read = Command { lun: lun(seed), ..Command::new(&READ, 4096) };
        // Power on, removal and insertion are pending.
        let reply = std::iter::repeat_with(|| guest.command(REQUESTS, &read)).find(|reply| reply.status == 0).unwrap();
        assert_eq!(reply.data[..2048], block(u32::from(seed), 7));
    }
    let reply = guest.command(REQUESTS, &Command::new(&[0xA0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0], 256));
    assert_eq!(reply.data[..4], [0, 0, 0, 64]);
    assert_eq!(reply.data[8..].iter().skip(1).step_by(8).copied().collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5, 6, 7]);
}
