//! What is allocated, under an allocator that counts: nothing for a READ, from its kick to its call; the size of the cache of
//! decoded blocks and no more; few bytes for the index of an image; nothing large for hostile files.
//! And that what was freed goes back to the system.
//!
//! A binary of its own, because the allocator is the process', and without the test harness, whose main thread allocates too.

use std::sync::Arc;

use spindle::drive::{Drive, Identity, Medium, Tray};
use spindle::image::{OpenOptions, Origin, open_path};
use spindle::sys::counting::{Counting, allocations, leave_out_this_thread};
use spindle::sys::heap;

use self::support::backend::Backend;
use self::support::guest::{Command, Guest, Options, Piece, REQUESTS};
use self::support::images::described::cso;

#[expect(dead_code, unused_imports, reason = "the other test binary uses the rest")]
#[path = "support/mod.rs"]
mod support;

#[path = "alloc/cache.rs"]
mod cache;
#[path = "alloc/fuzz.rs"]
mod fuzz;
#[path = "alloc/index.rs"]
mod index;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const BLOCKS: u32 = 1000;

/// READ (10) of `blocks` blocks, into pieces of one page as Linux makes them; all in one chain.
fn read(guest: &mut Guest, lba: u32, blocks: u8) {
    guest.free_all();
    let [a, b, c, d] = lba.to_be_bytes();
    let cdb = [0x28, 0, a, b, c, d, 0, 0, blocks, 0];
    let room = usize::from(blocks) * 2048;
    let (mut pieces, response) = guest.lay_out(&Command::new(&cdb, room));
    let data = pieces.pop().unwrap();
    pieces.extend((0..data.len).step_by(4096).map(|at| Piece {
        at: data.at + at as u64,
        len: 4096.min(data.len - at),
        write: true,
    }));
    guest.submit(REQUESTS, &pieces);
    let (_, written) = guest.wait(REQUESTS);
    assert_eq!(written as usize, 108 + room);
    // Status GOOD.
    assert_eq!(guest.read(response + 10, 1), [0]);
    assert_eq!(guest.read(data.at, 4), lba.to_be_bytes());
}

fn main() {
    what_lies_below_a_block_that_is_in_use_is_given_back();
    cache::stays_within_its_size();
    fuzz::takes_under_256_mib();
    index::opening_reads_only_the_index();
    index::takes_under_8_bytes_for_a_block();
    reads_allocate_nothing();
}

/// Alone in its process: it looks at what all of that holds.
fn what_lies_below_a_block_that_is_in_use_is_given_back() {
    const BLOCKS: usize = 64 << 10;
    let resident_kb = || {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        line.split_whitespace().next().unwrap().parse::<u64>().unwrap()
    };
    let last = std::thread::spawn(|| (0..BLOCKS).map(|_| vec![1_u8; 1000]).collect::<Vec<_>>().pop()).join().unwrap();
    let before = resident_kb();
    heap::give_back();
    let after = resident_kb();
    assert!(after + 48 * 1024 <= before, "{before} kB, then {after}");
    assert!(last.is_some());
    println!("test what_lies_below_a_block_that_is_in_use_is_given_back ... ok");
}

fn reads_allocate_nothing() {
    leave_out_this_thread();
    let bytes = (0..BLOCKS).flat_map(|lba| lba.to_be_bytes().repeat(512)).collect::<Vec<_>>();
    let packed = cso::file(&bytes, cso::Options { version: 1, zso: false, block: 2048, shift: 0 });
    for (name, bytes) in [("an image", bytes), ("a decoded image", packed)] {
        reads_of_allocate_nothing(&bytes);
        println!("test a_steady_stream_of_reads_of_{}_allocates_nothing ... ok", name.replace(' ', "_"));
    }
}

fn reads_of_allocate_nothing(bytes: &[u8]) {
    let image = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(image.path(), bytes).unwrap();
    let opened = open_path(image.path(), &OpenOptions::default()).unwrap();
    let drive = Arc::new(Drive::new(Identity::named("cd0"), Tray::Closed));
    let medium = Medium {
        disc: opened.disc,
        locator: "test".to_owned(),
        format: opened.format.id,
        origin: Origin::default(),
        remote: false,
    };
    drive.change_medium(Arc::new(medium), false).unwrap();
    let backend = Backend::serve(&[drive]);
    let mut guest = backend.guest(Options::default());
    while guest.command(REQUESTS, &Command::new(&[0; 6], 0)).status != 0 {}
    // The counter counts: the server was made on other threads, too.
    assert!(allocations() > 0);

    // Other threads start late: they may count in some round. A READ that allocates counts in each.
    let mut round = || {
        let before = allocations();
        for at in 0..300 {
            read(&mut guest, at, [1, 32, 240][at as usize % 3]);
        }
        allocations() - before
    };
    let counts: Vec<_> = (0..10).map(|_| round()).collect();
    assert!(counts.contains(&0), "{counts:?}");
}
