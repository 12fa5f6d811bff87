//! How often a driver is called (`vhost_user::pace`).

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::support::backend::Backend;
use crate::support::disc::block;
use crate::support::guest::{Command, EVENT_IDX, Guest, Options, Piece, REQUESTS};

const LBA: u32 = 77;
const READ: [u8; 10] = [0x28, 0, 0, 0, 0, LBA as u8, 0, 0, 1, 0];
/// A test that takes longer than this has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// A driver for which a call is dear: an interrupt comes between its submissions.
struct Interrupted {
    guest: Guest,
    /// The buffers of each request, and by head what is under way.
    requests: Vec<(Vec<Piece>, u64)>,
    under_way: Vec<(u16, usize)>,
    idle: Vec<usize>,
    interrupts: usize,
    done: usize,
}

impl Interrupted {
    /// What a call costs, and what it does between two submissions: long enough for the first to be done meanwhile.
    const INTERRUPT: Duration = Duration::from_micros(300);
    const EACH: Duration = Duration::from_micros(100);

    fn new(mut guest: Guest, in_flight: usize) -> Self {
        while guest.command(REQUESTS, &Command::new(&[0; 6], 0)).status != 0 {}
        let requests = (0..in_flight).map(|_| guest.lay_out(&Command::new(&READ, 2048))).collect();
        guest.ask_for_call(REQUESTS);
        let idle = (0..in_flight).collect();
        Self { guest, requests, under_way: Vec::new(), idle, interrupts: 0, done: 0 }
    }

    fn step(&mut self) {
        if self.guest.was_called(REQUESTS) {
            self.interrupt();
        } else if let Some(index) = self.idle.pop() {
            let (pieces, response) = &self.requests[index];
            self.guest.write(*response, &[0xFF; 12]);
            let head = self.guest.submit(REQUESTS, pieces);
            self.under_way.push((head, index));
            sleep(Self::EACH);
        } else {
            self.guest.wait_for_call(REQUESTS);
            self.interrupt();
        }
    }

    fn interrupt(&mut self) {
        sleep(Self::INTERRUPT);
        self.interrupts += 1;
        loop {
            let before = self.done;
            // What is done after the last look is called for.
            self.guest.ask_for_call(REQUESTS);
            while let Some((head, _)) = self.guest.poll(REQUESTS) {
                let (of, index) = self.under_way.remove(0);
                assert_eq!(of, head, "chains come back in the order of the ring");
                assert_eq!(self.guest.read(self.requests[index].1, 12)[10..], [0, 0], "status and response");
                self.idle.push(index);
                self.done += 1;
            }
            if self.done == before {
                break;
            }
        }
    }
}

/// Reads until it is called once for several; at first it is called for each.
fn until_it_is_called_for_several(driver: &mut Interrupted) {
    const SOME: usize = 64;
    let begin = Instant::now();
    // Other programs may run while it is tried whether it gets faster.
    loop {
        let (interrupts, done) = (driver.interrupts, driver.done);
        while driver.interrupts < interrupts + SOME {
            driver.step();
        }
        let chains = driver.done - done;
        if chains * 4 >= SOME * 7 {
            break;
        }
        assert!(begin.elapsed() < PATIENCE, "{chains} chains to {SOME} interrupts");
    }
}

fn driver(backend: &Backend) -> Interrupted {
    let options = Options { features: EVENT_IDX, ..Options::default() };
    Interrupted::new(backend.guest(options), 16)
}

#[test]
fn a_driver_with_many_requests_in_flight_is_called_once_for_several() {
    let (_drive, backend) = super::served();
    let mut driver = driver(&backend);
    until_it_is_called_for_several(&mut driver);
    let (_, response) = driver.requests[15];
    assert_eq!(driver.guest.read(response + 108, 2048), block(1, LBA));
}

#[test]
fn a_ring_that_stops_has_told_its_driver_of_all_that_it_did() {
    let (_drive, backend) = super::served();
    let mut driver = driver(&backend);
    for _ in 0..20 {
        until_it_is_called_for_several(&mut driver);
        while !driver.under_way.is_empty() {
            driver.guest.wait_for_call(REQUESTS);
            driver.interrupt();
        }
        let before = driver.guest.used_index(REQUESTS);
        driver.guest.submit(REQUESTS, &driver.requests[0].0);
        while driver.guest.used_index(REQUESTS) == before {
            std::hint::spin_loop();
        }
        driver.guest.stop_ring(REQUESTS);
        assert!(driver.guest.was_called(REQUESTS));
        driver.guest.poll(REQUESTS).expect("it was returned");
        driver.guest.ask_for_call(REQUESTS);
        let position = driver.guest.used_index(REQUESTS);
        driver.guest.start_ring(REQUESTS, position);
    }
}
