//! Requests under way when the daemon is killed: none is lost, none is done twice, every byte is right.

use std::time::Duration;

use super::{Restarted, TEST_UNIT_READY, folder_with_image, sense};
use crate::support::disc::block;
use crate::support::guest::{Command, Options, REQUESTS};

#[test]
fn kills_under_load_lose_and_double_no_request() {
    let (folder, image) = folder_with_image(3);
    let mut here = Restarted::start_in(folder, &[&image]);
    let queues = [REQUESTS, REQUESTS + 1, REQUESTS + 2];
    let mut guest = here.daemon().guest(Options { request_queues: queues.len(), ..Options::default() });
    super::settle(&mut guest);
    let mut random = 0x9E37_79B9_u32;
    let mut checked = 0_u32;
    for round in 0..40_u32 {
        guest.free_all();
        let mut pending: Vec<Vec<_>> = queues.map(|_| Vec::new()).into();
        for number in 0..30_u8 {
            for (&queue, pending) in queues.iter().zip(&mut pending) {
                let lba = (number + 7 * queue as u8) % 64;
                let cdb = [0x28, 0, 0, 0, 0, lba, 0, 0, 1, 0];
                pending.push((lba, guest.begin(queue, &Command::new(&cdb, 2048))));
            }
        }
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        std::thread::sleep(Duration::from_micros(u64::from(random >> 16) % 600));
        here.restart_under(&mut guest);
        for pending in pending {
            for (lba, pending) in pending {
                let reply = guest.finish(pending);
                assert_eq!((reply.status, reply.response), (0, 0), "round {round}: {:x?}", reply.sense);
                assert!(reply.data == block(3, lba.into()), "round {round}: block {lba}");
                checked += 1;
            }
        }
        for queue in queues {
            assert_eq!(guest.poll(queue), None, "round {round}: a request came back twice");
        }
    }
    assert_eq!(checked, 40 * 90);
    assert_eq!(sense(&mut guest, &TEST_UNIT_READY), (0, 0, 0));
}
