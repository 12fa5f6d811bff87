//! The bodies of the fuzz targets on stable: the corpus in the repository, and inputs from a fixed generator.

#[path = "../fuzz/bodies/cdb.rs"]
mod cdb;

use std::fs;
use std::path::Path;

/// Runs `body` on every file of its corpus; returns how many there were.
fn corpus(name: &str, body: fn(&[u8])) -> usize {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(name);
    let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    files.map(|file| body(&fs::read(file.unwrap().path()).unwrap())).count()
}

/// xorshift64*: the same bytes every time.
fn bytes(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 56) as u8
    };
    (0..len).map(|_| next()).collect()
}

#[test]
fn commands_in_any_order_keep_the_drive_sound() {
    assert!(corpus("cdb", cdb::run) > 0);
    for seed in 0..2000 {
        let mut input = bytes(seed, 24 * 40);
        // Random operation codes are mostly invalid: let two of three be ones that the drive has.
        for record in input.chunks_exact_mut(24).filter(|record| record[1] % 3 > 0) {
            let rows = &spindle::drive::COMMANDS;
            record[3] = rows[usize::from(record[2]) % rows.len()].opcode;
        }
        cdb::run(&input);
    }
}
