//! Chains that break the rules: each is answered, if there is room, and given back, and the ring goes on; unless it needs memory that
//! the guest has not got.

use super::{FAILURE, INQUIRY, OK, with_disc};
use crate::support::guest::{Command, Descriptor, END, Guest, NOWHERE, Options, REQUESTS, flags};

const REQUEST: u32 = 51;
const RESPONSE: u32 = 108;

fn read(at: u64, len: u32) -> Descriptor {
    Descriptor { at, len, flags: 0, next: 0 }
}

fn write(at: u64, len: u32) -> Descriptor {
    Descriptor { at, len, flags: flags::WRITE, next: 0 }
}

/// The descriptors chained in order, the last with `last_next` as its next one if there is such.
fn chained(mut chain: Vec<Descriptor>, last_next: Option<u16>) -> Vec<Descriptor> {
    let count = chain.len();
    for (next, descriptor) in (1..).zip(&mut chain) {
        if usize::from(next) < count {
            descriptor.flags |= flags::NEXT;
            descriptor.next = next;
        } else if let Some(next) = last_next {
            descriptor.flags |= flags::NEXT;
            descriptor.next = next;
        }
    }
    chain
}

/// Sends them. Returns the bytes written and what the response byte then was.
fn answer(guest: &mut Guest, chain: Vec<Descriptor>, last_next: Option<u16>, response: u64) -> (u32, u8) {
    guest.write(response, &[0xA5; 108]);
    guest.submit_raw(REQUESTS, &chained(chain, last_next));
    let (head, written) = guest.wait(REQUESTS);
    assert_eq!(head, 0);
    (written, guest.read(response + 11, 1)[0])
}

#[test]
fn a_malformed_chain_fails_and_the_ring_goes_on() {
    let (_drive, _backend, mut guest) = with_disc(Options { features: 0, ..Options::default() });
    let (pieces, response) = guest.lay_out(&Command::new(&INQUIRY, 36));
    let request = pieces[0].at;
    let data = response + u64::from(RESPONSE);
    let failed = (RESPONSE, FAILURE);
    for (what, chain, last_next, expected) in [
        ("well-formed", vec![read(request, REQUEST), write(response, RESPONSE), write(data, 36)], None, (144, OK)),
        (
            "data outside memory",
            vec![read(request, REQUEST), write(response, RESPONSE), write(NOWHERE, 36)],
            None,
            failed,
        ),
        (
            "data across the end",
            vec![read(request, REQUEST), write(response, RESPONSE), write(END - 4, 36)],
            None,
            failed,
        ),
        (
            "address overflow",
            vec![read(request, REQUEST), write(response, RESPONSE), write(u64::MAX - 4, 36)],
            None,
            failed,
        ),
        ("4 GiB", vec![read(request, REQUEST), write(response, RESPONSE), write(data, u32::MAX)], None, failed),
        ("request outside memory", vec![read(NOWHERE, REQUEST), write(response, RESPONSE)], None, failed),
        (
            "readable after writable",
            vec![read(request, REQUEST), write(response, RESPONSE), read(data, 8)],
            None,
            failed,
        ),
        ("all in the wrong order", vec![write(response, RESPONSE), read(request, REQUEST)], None, failed),
        ("a loop", vec![read(request, REQUEST), write(response, RESPONSE)], Some(1), failed),
        ("a next one outside the table", vec![read(request, REQUEST), write(response, RESPONSE)], Some(128), failed),
        ("no request", vec![write(response, RESPONSE)], None, failed),
        ("half a request", vec![read(request, REQUEST - 1), write(response, RESPONSE)], None, failed),
        ("no response", vec![read(request, REQUEST)], None, (0, 0xA5)),
        ("half a response", vec![read(request, REQUEST), write(response, RESPONSE - 1)], None, (0, 0xA5)),
        ("nothing", vec![read(request, 0)], None, (0, 0xA5)),
    ] {
        assert_eq!(answer(&mut guest, chain, last_next, response), expected, "{what}");
    }
    assert_eq!(guest.command(REQUESTS, &Command::new(&INQUIRY, 36)).response, OK);
}

#[test]
fn a_bad_indirect_table_gives_the_chain_back_empty() {
    let (_drive, _backend, mut guest) = with_disc(Options::default());
    // Of no bytes.
    let (pieces, response) = guest.lay_out(&Command::new(&[0x12, 0, 0, 0, 0, 0], 0));
    let (nested, right) = (guest.allocate(64), guest.allocate(64));
    let entry = |at: u64, len: u32, flags: u16, next: u16| {
        [&at.to_le_bytes()[..], &len.to_le_bytes(), &flags.to_le_bytes(), &next.to_le_bytes()].concat()
    };
    // The other would be right, except that its second entry is a table again.
    let request = entry(pieces[0].at, REQUEST, flags::NEXT, 1);
    guest.write(right, &[&request[..], &entry(response, RESPONSE, flags::WRITE, 0)].concat());
    guest.write(nested, &[&request[..], &entry(right + 16, 16, flags::INDIRECT, 0)].concat());
    let indirect = |at: u64, len: u32| Descriptor { at, len, flags: flags::INDIRECT, next: 0 };
    for (what, descriptor) in [
        ("nested", indirect(nested, 32)),
        ("not a multiple of 16", indirect(right, 33)),
        ("empty", indirect(right, 0)),
        ("one entry short", indirect(right, 16)),
        ("across the end, with one entry", indirect(END - 16, 32)),
        ("more than 65,535 entries", indirect(right, u32::MAX - 15)),
    ] {
        assert_eq!(answer(&mut guest, vec![descriptor], None, response), (0, 0xA5), "{what}");
    }
    assert_eq!(answer(&mut guest, vec![indirect(right, 32)], None, response), (RESPONSE, OK));
    assert_eq!(guest.command(REQUESTS, &Command::new(&INQUIRY, 36)).response, OK);
}

/// A driver that gets such a chain back takes what stood in its own response for one. It waits for memory, as its ring would; QEMU's
/// own devices stop altogether there.
#[test]
fn a_chain_that_cannot_be_answered_for_lack_of_memory_stays_in_its_ring() {
    let (_drive, _backend, mut guest) = with_disc(Options { request_queues: 3, ..Options::default() });
    let (pieces, response) = guest.lay_out(&Command::new(&INQUIRY, 300));
    let (request, data) = (pieces[0].at, response + u64::from(RESPONSE));
    let right = chained(vec![read(request, REQUEST), write(response, RESPONSE), write(data, 36)], None);
    let indirect = |at: u64| vec![Descriptor { at, len: 32, flags: flags::INDIRECT, next: 0 }];
    for (what, chain) in [
        ("response outside memory", vec![read(request, REQUEST), write(NOWHERE, RESPONSE)]),
        ("with room behind it", vec![read(request, REQUEST), write(NOWHERE, RESPONSE), write(response, RESPONSE + 36)]),
        ("response across the end", vec![read(request, REQUEST), write(END - 4, RESPONSE), write(data, 36)]),
        ("nothing in memory", vec![read(NOWHERE, REQUEST), write(NOWHERE, RESPONSE)]),
        ("a table outside memory", indirect(NOWHERE)),
        ("a table whose address overflows", indirect(u64::MAX - 15)),
    ] {
        guest.write(response, &[0xA5; 300]);
        let before = guest.next_position(REQUESTS);
        guest.submit_raw(REQUESTS, &chained(chain, None));
        // Of the same worker, where there are two processors: it has looked at the first ring by then.
        assert_eq!(guest.command(REQUESTS + 2, &Command::new(&INQUIRY, 36)).response, OK);
        assert_eq!(guest.poll(REQUESTS), None, "{what}");
        assert_eq!(guest.stop_ring(REQUESTS), before, "{what}");
        assert_eq!(guest.read(response, 300), [0xA5; 300], "{what}");
        // What there is memory for is carried out when the ring goes on.
        guest.replace_raw(REQUESTS, &right);
        guest.start_ring(REQUESTS, before);
        assert_eq!(guest.wait(REQUESTS), (0, RESPONSE + 36), "{what}");
        assert_eq!(guest.read(response + 11, 1), [OK], "{what}");
    }
}
