//! Runs in the test guest: reads patterned discs (`tests/support/disc.rs`, `block`) while the host swaps them, and checks
//! every byte.
//!
//! - `spindle-read-load sg /dev/sg0 BLOCKS STOP`: random READ (10)s until the file STOP exists, through the SCSI generic
//!   driver, so that each failure comes with its sense data. Prints `reads N`, `bytes N`, `discs N`, and `sense K/ASC/ASCQ N`
//!   lines.
//! - `spindle-read-load block /dev/sr0 BLOCKS STOP`: the same through the block layer, past the page cache. Prints
//!   `error ERRNO N` lines instead.
//! - Both take one more argument, the file CHANGING: a read that fails while it exists, from before the read to after it, is counted in
//!   a line of its own, `changing sense K/ASC/ASCQ N`. The first failure of each kind at another time is told on stderr too, in case
//!   that the machine does not live to print the rest.
//! - `spindle-read-load keep /dev/sr0 BLOCKS STOP`: the same into 32 MiB of buffers that are kept, and looked at again and again
//!   later: what the drive wrote there while the machine moved must have come along. Prints `reads N` and `kept N`.
//! - `spindle-read-load seed /dev/sg0`: waits for a disc and prints its seed.
//!
//! Status 1 and a line that says what was wrong: a block that is not the one asked for, one READ that mixes two discs, or a
//! disc that comes after a newer one (the host counts its seeds up).

use std::collections::BTreeMap;
use std::env;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

const BLOCK: usize = 2048;
const O_NONBLOCK: i32 = 0o4000;
const O_DIRECT: i32 = 0o40000;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let result = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["sg", device, blocks, stop, ref changing @ ..] => {
            load(&mut Generic::open(device), blocks, stop, &mut Failures::of("sense", changing))
        }
        ["block", device, blocks, stop, ref changing @ ..] => {
            load(&mut Block::open(device), blocks, stop, &mut Failures::of("error", changing))
        }
        ["keep", device, blocks, stop] => keep(device, blocks, stop),
        ["seed", device] => seed(&mut Generic::open(device)),
        _ => Err("sg|block DEVICE BLOCKS STOP [CHANGING], keep DEVICE BLOCKS STOP, or seed DEVICE".to_owned()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(wrong) => {
            println!("wrong: {wrong}");
            ExitCode::FAILURE
        }
    }
}

/// A way to read whole blocks; the error is a failure's short name.
trait Reader {
    fn read(&mut self, lba: u32, blocks: u16, data: &mut Vec<u8>) -> Result<(), String>;
}

/// How often a load's reads have failed in each way.
struct Failures<'p> {
    word: &'static str,
    changing: Option<&'p Path>,
    counts: BTreeMap<String, u64>,
}

impl<'p> Failures<'p> {
    fn of(word: &'static str, changing: &[&'p str]) -> Self {
        Self { word, changing: changing.first().map(|path| Path::new(*path)), counts: BTreeMap::new() }
    }

    /// Whether the medium changes: to be asked before each read.
    fn are_expected(&self) -> bool {
        self.changing.is_some_and(Path::exists)
    }

    /// A read failed, which began when they were expected or not.
    fn add(&mut self, name: &str, were_expected: bool) {
        let expected = were_expected || self.are_expected();
        let name = format!("{}{} {name}", if expected { "changing " } else { "" }, self.word);
        if self.changing.is_some() && !expected && !self.counts.contains_key(&name) {
            eprintln!("unexpected: {name}");
        }
        *self.counts.entry(name).or_default() += 1;
    }
}

fn load(reader: &mut dyn Reader, blocks: &str, stop: &str, failures: &mut Failures) -> Result<(), String> {
    let blocks: u64 = blocks.parse().map_err(|_| "BLOCKS is a number")?;
    let mut random = 0x9E37_79B9_7F4A_7C15_u64;
    let mut data = Vec::new();
    let (mut reads, mut bytes, mut discs, mut newest) = (0_u64, 0, 0_u64, None);
    while !Path::new(stop).exists() {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let count = 1 + (random >> 32) % 32;
        let lba = random % (blocks - count);
        let expected = failures.are_expected();
        match reader.read(lba as u32, count as u16, &mut data) {
            Err(name) => failures.add(&name, expected),
            Ok(()) => {
                let seed = check(&data, lba as u32)?;
                reads += 1;
                bytes += data.len();
                if newest != Some(seed) {
                    if newest.is_some_and(|newest| seed < newest) {
                        return Err(format!("disc {seed} after disc {newest:?}"));
                    }
                    discs += 1;
                    newest = Some(seed);
                }
            }
        }
    }
    println!("reads {reads}\nbytes {bytes}\ndiscs {discs}");
    for (name, count) in &failures.counts {
        println!("{name} {count}");
    }
    Ok(())
}

/// Nothing in here writes to a buffer but the drive.
fn keep(device: &str, blocks: &str, stop: &str) -> Result<(), String> {
    const BUFFER: usize = 16 * BLOCK;
    const BUFFERS: usize = 1024;
    let blocks: u64 = blocks.parse().map_err(|_| "BLOCKS is a number")?;
    let file = OpenOptions::new().read(true).custom_flags(O_DIRECT).open(device).map_err(|error| error.to_string())?;
    let mut room = vec![0; BUFFERS * BUFFER + 4096];
    let start = room.as_ptr().align_offset(4096);
    let room = &mut room[start..start + BUFFERS * BUFFER];
    let mut kept = vec![None; BUFFERS];
    let mut random = 0x9E37_79B9_7F4A_7C15_u64;
    let mut reads = 0_u64;
    while !Path::new(stop).exists() {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let (buffer, other) = ((random >> 32) as usize % BUFFERS, (random >> 48) as usize % BUFFERS);
        let lba = random % (blocks - (BUFFER / BLOCK) as u64);
        let data = &mut room[buffer * BUFFER..][..BUFFER];
        file.read_exact_at(data, lba * BLOCK as u64).map_err(|error| format!("block {lba}: {error}"))?;
        kept[buffer] = Some(lba as u32);
        reads += 1;
        if let Some(lba) = kept[other] {
            check(&room[other * BUFFER..][..BUFFER], lba)?;
        }
    }
    let kept = kept.iter().zip(room.chunks(BUFFER)).filter_map(|(lba, data)| lba.map(|lba| check(data, lba)));
    println!("reads {reads}\nkept {}", kept.collect::<Result<Vec<_>, _>>()?.len());
    Ok(())
}

fn seed(reader: &mut dyn Reader) -> Result<(), String> {
    let mut data = Vec::new();
    let mut last = String::new();
    for _ in 0..600 {
        match reader.read(0, 1, &mut data) {
            Ok(()) => {
                println!("{}", check(&data, 0)?);
                return Ok(());
            }
            Err(name) => last = name,
        }
        thread::sleep(Duration::from_millis(100));
    }
    Err(format!("no disc for a minute: {last}"))
}

/// The seed of the disc that the blocks come from.
fn check(data: &[u8], lba: u32) -> Result<u16, String> {
    let field = |at: usize| u16::from_le_bytes([data[at], data[at + 1]]);
    let seed = field(4);
    for (number, word) in data.chunks_exact(8).enumerate() {
        let block = lba + (number * 8 / BLOCK) as u32;
        let expected = u64::from(block) | u64::from(seed) << 32 | ((number % (BLOCK / 8)) as u64) << 48;
        if word != expected.to_le_bytes() {
            return Err(format!("block {block}, word {number}: {word:02x?}; the read began in disc {seed}"));
        }
    }
    Ok(seed)
}

/// The SCSI generic driver's first interface: write a header and a CDB, read a header and the data.
struct Generic(File);

impl Generic {
    fn open(path: &str) -> Self {
        Self(OpenOptions::new().read(true).write(true).open(path).expect("the sg device opens"))
    }
}

impl Reader for Generic {
    fn read(&mut self, lba: u32, blocks: u16, data: &mut Vec<u8>) -> Result<(), String> {
        const HEADER: usize = 36;
        let total = HEADER + usize::from(blocks) * BLOCK;
        let mut request = vec![0; HEADER + 10];
        request[4..8].copy_from_slice(&(total as u32).to_ne_bytes());
        request[HEADER] = 0x28;
        request[HEADER + 2..HEADER + 6].copy_from_slice(&lba.to_be_bytes());
        request[HEADER + 7..HEADER + 9].copy_from_slice(&blocks.to_be_bytes());
        let mut answer = vec![0; total];
        let mut exchange = || -> io::Result<()> {
            self.0.write_all(&request)?;
            self.0.read_exact(&mut answer)
        };
        exchange().map_err(|error| format!("errno {error}"))?;
        let word = |at: usize| u32::from_ne_bytes([answer[at], answer[at + 1], answer[at + 2], answer[at + 3]]);
        // The flags: bit 0 a twelve-byte CDB, then five bits of status (shifted right by one), eight of the host's status.
        let (result, target, host) = (word(12), (word(16) >> 1) & 0x1F, (word(16) >> 6) & 0xFF);
        if target == 1 {
            return Err(format!("{:x}/{:02x}/{:02x}", answer[22] & 0x0F, answer[32], answer[33]));
        }
        if (result, target, host) != (0, 0, 0) {
            return Err(format!("result {result} status {target} host {host}"));
        }
        data.clear();
        data.extend_from_slice(&answer[HEADER..]);
        Ok(())
    }
}

struct Block {
    path: String,
    file: Option<File>,
    /// Room to begin at a multiple of 4096, as O_DIRECT wants it.
    room: Vec<u8>,
}

impl Block {
    fn open(path: &str) -> Self {
        Self { path: path.to_owned(), file: None, room: vec![0; 64 * BLOCK] }
    }
}

impl Reader for Block {
    fn read(&mut self, lba: u32, blocks: u16, data: &mut Vec<u8>) -> Result<(), String> {
        let name = |error: io::Error| error.raw_os_error().unwrap_or(0).to_string();
        if self.file.is_none() {
            let flags = O_NONBLOCK | O_DIRECT;
            self.file = Some(OpenOptions::new().read(true).custom_flags(flags).open(&self.path).map_err(name)?);
        }
        let Some(file) = &self.file else { return Err("closed".to_owned()) };
        let start = self.room.as_ptr().align_offset(4096);
        let wanted = &mut self.room[start..start + usize::from(blocks) * BLOCK];
        match file.read_at(wanted, u64::from(lba) * BLOCK as u64) {
            Ok(count) if count == wanted.len() => {
                data.clear();
                data.extend_from_slice(wanted);
                Ok(())
            }
            // A drive without a disc has no size: the read ends at once. The next open looks at it again.
            Ok(_) => {
                self.file = None;
                Err("short".to_owned())
            }
            Err(error) => {
                self.file = None;
                Err(name(error))
            }
        }
    }
}
