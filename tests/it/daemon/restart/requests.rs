//! Requests under way when the daemon ends: none is lost, none is done twice, every byte is right.

use rustix::process::Signal;

use super::{Restarted, TEST_UNIT_READY, folder_with_image, sense};
use crate::support::disc::block;
use crate::support::guest::{Command, Guest, Options, REQUESTS};

/// Ends that come amid the requests of their round, and most rounds until there are so many: where others keep the processors busy, some
/// come when all is done.
const ENDS: u32 = 30;
const ROUNDS: u32 = 10 * ENDS;
/// Requests in each ring, and blocks of each: long enough that an end comes before the last is served.
const EACH: u8 = 100;
const BLOCKS: u8 = 32;
const QUEUES: [usize; 3] = [REQUESTS, REQUESTS + 1, REQUESTS + 2];

#[test]
fn kills_under_load_lose_and_double_no_request() {
    end_under_load(|here, _| {
        let runtime = here.kill();
        here.start_again(runtime);
    });
}

/// QEMU looks how far the rings are when the connection ends, and has the next process go on from there.
#[test]
fn a_daemon_that_is_asked_to_end_returns_nothing_after_it_has_hung_up() {
    end_under_load(|here, guest| {
        let daemon = here.daemon.take().unwrap();
        daemon.signal(Signal::TERM);
        guest.wait_for_the_end();
        let returned = QUEUES.map(|queue| guest.used_index(queue));
        let (status, log) = daemon.end();
        assert!(status.success(), "{log:#?}");
        assert_eq!(QUEUES.map(|queue| guest.used_index(queue)), returned, "requests came back later");
        here.start_again(tempfile::TempDir::new().unwrap());
    });
}

fn left(guest: &Guest) -> u16 {
    QUEUES.map(|queue| guest.next_position(queue).wrapping_sub(guest.used_index(queue))).iter().sum()
}

/// Has `end` end a daemon amid requests, and start the next, over and over.
fn end_under_load(end: impl Fn(&mut Restarted, &mut Guest)) {
    let (folder, image) = folder_with_image(3);
    let mut here = Restarted::start_in(folder, &[&image]);
    let options = Options { request_queues: QUEUES.len(), ring_size: 512, ..Options::default() };
    let mut guest = here.daemon().guest(options);
    super::settle(&mut guest);
    let mut random = 0x9E37_79B9_u32;
    let (mut round, mut amid, mut checked) = (0, 0, 0);
    while amid < ENDS {
        assert!(round < ROUNDS, "{amid} of {round} ends came amid requests");
        round += 1;
        guest.free_all();
        let mut pending: Vec<Vec<_>> = QUEUES.map(|_| Vec::new()).into();
        for number in 0..EACH {
            for (&queue, pending) in QUEUES.iter().zip(&mut pending) {
                let lba = (number + 7 * queue as u8) % (64 - BLOCKS);
                let cdb = [0x28, 0, 0, 0, 0, lba, 0, 0, BLOCKS, 0];
                pending.push((lba, guest.begin_quietly(queue, &Command::new(&cdb, usize::from(BLOCKS) * 2048))));
            }
        }
        let all = left(&guest);
        QUEUES.iter().for_each(|&queue| guest.kick(queue));
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let enough = all - (random >> 16) as u16 % (all / 2);
        while left(&guest) > enough {
            std::hint::spin_loop();
        }
        end(&mut here, &mut guest);
        amid += u32::from((1..all).contains(&left(&guest)));
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
        for queue in QUEUES {
            assert_eq!(guest.poll(queue), None, "round {round}: a request came back twice");
        }
    }
    assert_eq!(checked, round * 3 * u32::from(EACH));
    println!("ends {round}, of which {amid} came amid requests; requests {checked}, lost or doubled 0");
    assert_eq!(sense(&mut guest, &TEST_UNIT_READY), (0, 0, 0));
}
