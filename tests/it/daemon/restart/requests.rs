//! Requests under way when the daemon is killed: none is lost, none is done twice, every byte is right.

use super::{Restarted, TEST_UNIT_READY, folder_with_image, sense};
use crate::support::disc::block;
use crate::support::guest::{Command, Guest, Options, REQUESTS};

/// Kills that come amid the requests of their round, and most rounds until there are so many: where others keep the processors busy, some
/// come when all is done.
const KILLS: u32 = 30;
const ROUNDS: u32 = 10 * KILLS;
/// Requests in each ring, and blocks of each: long enough that a kill comes before the last is served.
const EACH: u8 = 100;
const BLOCKS: u8 = 32;

#[test]
fn kills_under_load_lose_and_double_no_request() {
    let (folder, image) = folder_with_image(3);
    let mut here = Restarted::start_in(folder, &[&image]);
    let queues = [REQUESTS, REQUESTS + 1, REQUESTS + 2];
    let mut guest = here.daemon().guest(Options { request_queues: queues.len(), ring_size: 512, ..Options::default() });
    super::settle(&mut guest);
    let mut random = 0x9E37_79B9_u32;
    let (mut round, mut amid, mut checked) = (0, 0, 0);
    while amid < KILLS {
        assert!(round < ROUNDS, "{amid} of {round} kills came amid requests");
        round += 1;
        guest.free_all();
        let mut pending: Vec<Vec<_>> = queues.map(|_| Vec::new()).into();
        for number in 0..EACH {
            for (&queue, pending) in queues.iter().zip(&mut pending) {
                let lba = (number + 7 * queue as u8) % (64 - BLOCKS);
                let cdb = [0x28, 0, 0, 0, 0, lba, 0, 0, BLOCKS, 0];
                pending.push((lba, guest.begin_quietly(queue, &Command::new(&cdb, usize::from(BLOCKS) * 2048))));
            }
        }
        let left = |guest: &Guest| -> u16 {
            queues.map(|queue| guest.next_position(queue).wrapping_sub(guest.used_index(queue))).iter().sum()
        };
        let all = left(&guest);
        queues.iter().for_each(|&queue| guest.kick(queue));
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let enough = all - (random >> 16) as u16 % (all / 2);
        while left(&guest) > enough {
            std::hint::spin_loop();
        }
        let runtime = here.kill();
        amid += u32::from((1..all).contains(&left(&guest)));
        here.start_again(runtime);
        guest.reconnect(&here.daemon().path());
        for pending in pending {
            for (lba, pending) in pending {
                let reply = guest.finish(pending);
                assert_eq!((reply.status, reply.response), (0, 0), "round {round}: {:x?}", reply.sense);
                let wanted: Vec<_> = (lba..lba + BLOCKS).flat_map(|lba| block(3, lba.into())).collect();
                assert!(reply.data == wanted, "round {round}: from block {lba}");
                checked += 1;
            }
        }
        for queue in queues {
            assert_eq!(guest.poll(queue), None, "round {round}: a request came back twice");
        }
    }
    assert_eq!(checked, round * 3 * u32::from(EACH));
    println!("kills {round}, of which {amid} came amid requests; requests {checked}, lost or doubled 0");
    assert_eq!(sense(&mut guest, &TEST_UNIT_READY), (0, 0, 0));
}
