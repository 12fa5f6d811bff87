//! The bodies of the fuzz targets on stable: the corpus in the repository, and inputs from a fixed generator. None may take over a second,
//! three times (tests/fuzz/slow.rs).

#[path = "../fuzz/bodies/cdb.rs"]
mod cdb;
#[path = "../fuzz/bodies/chain.rs"]
mod chain;
#[path = "../fuzz/bodies/control.rs"]
mod control;
#[path = "../fuzz/bodies/filesystem.rs"]
mod filesystem;
#[path = "../fuzz/bodies/frontend.rs"]
mod frontend;
#[path = "../fuzz/bodies/image.rs"]
mod image;
#[path = "../fuzz/bodies/mdx.rs"]
mod mdx;
#[path = "../fuzz/bodies/rings.rs"]
mod rings;
#[path = "../fuzz/slow.rs"]
mod slow;

use std::fs;
use std::path::Path;

use spindle::container::CONTAINERS;
use spindle::image::FORMATS;

/// The formats and containers, each of which has a corpus of `image` and a dictionary.
fn images() -> impl Iterator<Item = &'static str> {
    let formats = FORMATS.iter().map(|format| format.info().id);
    formats.chain(CONTAINERS.iter().map(|container| container.info().id))
}

/// The files of a target's corpus, of which there is at least one.
fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(name);
    let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let inputs: Vec<_> = files.map(|file| fs::read(file.unwrap().path()).unwrap()).collect();
    assert!(!inputs.is_empty(), "{}", folder.display());
    inputs
}

/// Runs `body` on an input, over which nobody may wait long.
fn soon(name: &str, input: &[u8], body: impl FnMut(&[u8])) {
    assert!(!slow::is_slow(input, body), "{name}: {} bytes take over a second, each of three times", input.len());
}

/// Runs `body` on the corpus, and on `rounds` of it with a few bytes changed each.
fn corpus_and_changes(name: &str, rounds: u64, mut body: impl FnMut(&[u8])) {
    for original in corpus(name) {
        soon(name, &original, &mut body);
        for round in 0..rounds {
            let mut input = original.clone();
            for change in bytes(round, 5 * 4).chunks_exact(5) {
                let at = u32::from_le_bytes([change[0], change[1], change[2], change[3]]) as usize % input.len();
                input[at] = change[4];
            }
            soon(name, &input, &mut body);
        }
    }
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
    corpus("cdb").iter().for_each(|input| soon("cdb", input, cdb::run));
    for seed in 0..2000 {
        let mut input = bytes(seed, 24 * 40);
        // Random operation codes are mostly invalid: let two of three be ones that the drive has.
        for record in input.chunks_exact_mut(24).filter(|record| record[1] % 3 > 0) {
            let rows = &spindle::drive::COMMANDS;
            record[3] = rows[usize::from(record[2]) % rows.len()].opcode;
        }
        soon("cdb", &input, cdb::run);
    }
}

#[test]
fn reading_any_disc_ends() {
    corpus_and_changes("filesystem", 100, filesystem::run);
}

#[test]
fn a_guest_may_write_anything_into_its_rings() {
    corpus_and_changes("chain", 500, chain::run);
}

#[test]
fn a_guest_may_put_its_rings_anywhere_and_nothing_else_of_it_is_written() {
    let (mut compared, mut left, mut inputs, mut without) = (0, 0, 0, 0);
    corpus_and_changes("rings", 300, |input| {
        let looks = rings::run(input);
        (compared, left) = (compared + looks.compared, left + looks.left);
        (inputs, without) = (inputs + 1, without + u32::from(looks.compared == 0));
    });
    // A check that is left out wherever it is not simple shows nothing.
    assert!(compared > 4 * left, "{compared} looks compared, {left} not");
    assert!(without * 20 < inputs, "nothing is compared of {without} of {inputs} inputs");
    for input in corpus("rings") {
        let looks = rings::run(&input);
        assert!(looks.compared > 3 && looks.left == 0, "{looks:?}");
    }
}

#[test]
fn a_front_end_may_send_anything_and_the_next_one_is_served() {
    corpus_and_changes("frontend", 50, frontend::run);
}

/// The hand-made ones are what the builders make.
#[test]
fn corpora_of_rings_and_messages_begin_with_what_works() {
    for (name, seed) in
        [("rings", rings::seed()), ("frontend", frontend::seed()), ("frontend", frontend::seed_cut_off())]
    {
        assert!(corpus(name).contains(&seed), "{name}");
    }
}

#[test]
fn a_control_client_may_send_anything() {
    corpus_and_changes("control", 50, control::run);
}

#[test]
fn any_bytes_may_be_given_as_an_image() {
    for format in images() {
        corpus_and_changes(format, 50, image::run);
    }
}

fn is_of(input: &[u8], format: &str) -> bool {
    image::open(input).is_ok_and(|opened| {
        opened.format.id == format || opened.containers.iter().any(|container| container.id == format)
    })
}

#[test]
fn corpora_are_of_their_formats() {
    for format in images() {
        assert!(corpus(format).iter().any(|input| is_of(input, format)), "{format}");
    }
}

/// The shortest file of each corpus that is of its format; those that are long in any case have a sweep beside their other tests.
#[test]
fn every_prefix_of_an_image_of_every_format_is_opened_or_refused() {
    const LONG: [&str; 6] = ["iso", "raw", "daa", "gbi", "uif", "dmg"];
    let formats: Vec<_> = images().filter(|format| !LONG.contains(format)).collect();
    let sweep = |format: &str| {
        let seeds = corpus(format).into_iter().filter(|input| is_of(input, format));
        let seed = seeds.min_by_key(Vec::len).unwrap();
        (0..seed.len()).for_each(|len| soon(format, &seed[..len], image::run));
    };
    let (one, other): (Vec<_>, Vec<_>) = formats.iter().enumerate().partition(|(at, _)| at % 2 == 0);
    std::thread::scope(|scope| {
        for half in [one, other] {
            scope.spawn(move || half.into_iter().for_each(|(_, format)| sweep(format)));
        }
    });
}

#[test]
fn a_descriptor_that_was_encrypted_may_say_anything() {
    corpus_and_changes("mdx_descriptor", 500, mdx::run);
}

/// The entries of a dictionary of libFuzzer, each a string with `\\xNN` in it.
fn dictionary(name: &str) -> Vec<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/dictionary").join(name);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let entry = |line: &str| {
        let line = line.strip_prefix('"').and_then(|line| line.strip_suffix('"')).unwrap_or_else(|| panic!("{line}"));
        let mut parts = line.split("\\x");
        let mut bytes = parts.next().unwrap().as_bytes().to_vec();
        for part in parts {
            bytes.push(u8::from_str_radix(&part[..2], 16).unwrap());
            bytes.extend_from_slice(&part.as_bytes()[2..]);
        }
        bytes
    };
    text.lines().filter(|line| !line.starts_with('#')).map(entry).collect()
}

#[test]
fn dictionaries_have_what_is_in_the_corpora() {
    for name in images().chain(["mdx_descriptor"]) {
        let (entries, corpus) = (dictionary(name), corpus(name));
        let there =
            |entry: &&Vec<u8>| corpus.iter().any(|file| file.windows(entry.len()).any(|bytes| bytes == **entry));
        assert!(there(&&entries[0]), "{name}: the signature");
        assert!(entries.iter().filter(there).count() * 3 >= entries.len(), "{name}: most are in no file");
    }
}
