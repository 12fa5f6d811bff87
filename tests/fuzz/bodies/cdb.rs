//! A drive under any sequence of commands from two nexuses and of changes from the host.
//!
//! The input is a list of operations: one byte selects what happens, the rest of its fixed record gives the details.
//! Shared by the fuzz target and by `tests/it/fuzz.rs`, which runs it on a fixed corpus.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use spindle::disc::{Control, Disc, Extent, Lba, MediumType, Session, Track, TrackMode};
use spindle::drive::{Drive, Fault, FaultKind, Identity, Medium, Tray};
use spindle::image::{OpenOptions, Origin, open_source};
use spindle::scsi::{DataIn, DataOut, LogicalUnit, Lun, Nexus, Reset, SenseFormat, Status, Task};
use spindle::source::{MemorySource, Scatter};
use spindle::sys::memory::anonymous;
use vm_memory::{Bytes, GuestAddress, GuestMemoryBackend};

/// Bytes of one operation: selector, two of room, sixteen of CDB, five of data to the drive.
const RECORD: usize = 24;
/// More than any answer but a long READ.
const ROOM: usize = 0x2000;
/// Where data to the drive lies.
const OUT: u64 = 0x4000;

/// Carries out every operation of `input` and checks what must hold after each.
pub fn run(input: &[u8]) {
    let memory = anonymous(0x8000).expect("a few pages of memory");
    let drive = Drive::new(Identity::named("cd0"), Tray::Closed);
    for record in input.chunks_exact(RECORD).take(64) {
        let (selector, cdb) = (record[0], &record[3..19]);
        match selector {
            0..=0xEF => {
                let room = usize::from(u16::from_le_bytes([record[1], record[2]])) % ROOM;
                command(&drive, &memory, Nexus(u16::from(selector & 1)), room, cdb, &record[19..]);
            }
            0xF0..=0xF5 => drop(drive.change_medium(medium(selector - 0xF0), selector & 1 == 0)),
            0xF6 => drop(drive.open_tray(false)),
            0xF7 => drop(drive.open_tray(true)),
            0xF8 => drive.close_tray(),
            0xF9 => drop(drive.remove_medium()),
            0xFA => drop(drive.insert_medium(medium(0))),
            0xFB => drive.request_eject(),
            0xFC if record[1] != 0 => fault(&drive, record),
            0xFC => drop(drive.wait_answered(Duration::ZERO, || false)),
            0xFD => drive.reset(Reset::PowerOn),
            0xFE => drive.reset(Reset::LogicalUnit),
            0xFF => drive.reset(Reset::NexusLoss(Nexus(u16::from(record[1] & 1)))),
        }
    }
}

/// A fault comes, or all go.
fn fault(drive: &Drive, record: &[u8]) {
    let kind = match record[1] % 5 {
        0 => FaultKind::ReadError,
        1 => FaultKind::Delay(Duration::from_secs(record[2].into())),
        2 => FaultKind::MediumGone,
        3 => FaultKind::TrayStuck,
        _ => {
            drive.clear_faults(None);
            return;
        }
    };
    let address = |at: usize| Lba(i32::from_be_bytes([record[at], record[at + 1], record[at + 2], record[at + 3]]));
    // There may be too many, and the last block may come before the first.
    let _ = drive.add_fault(Fault { kind, blocks: (address(3), address(7)) });
}

/// A small disc that `kind` chooses: plain ones, not all of whole blocks, and a CD of sound and data.
fn medium(kind: u8) -> Arc<Medium> {
    static MEDIA: LazyLock<[Arc<Medium>; 6]> = LazyLock::new(|| {
        let plain = [2048, 300 * 2048, 17 * 2048 + 1, 2049, 1].map(|bytes| {
            let opened = open_source(Arc::new(MemorySource::new(vec![7; bytes])), &OpenOptions::default())
                .expect("any bytes are a plain image");
            opened.disc
        });
        let [a, b, c, d, e] = plain;
        [a, b, c, d, e, mixed()].map(|disc| {
            let (locator, origin) = (String::new(), Origin::default());
            Arc::new(Medium { disc, locator, format: "iso", origin, remote: false })
        })
    });
    Arc::clone(&MEDIA[usize::from(kind) % 6])
}

/// Two sessions: tracks of sound, the second with an index more, then data of both modes.
fn mixed() -> Disc {
    const BLOCKS: u32 = 40;
    let source = Arc::new(MemorySource::new((0..4 * BLOCKS * 2352).map(|at| (at / 5) as u8).collect::<Vec<_>>()));
    let track = |number: u8, mode, start| {
        let sound = mode == TrackMode::Audio;
        Track {
            number,
            mode,
            control: if sound { Control::AUDIO } else { Control::DATA },
            start: Lba(start),
            end: Lba(start).plus(BLOCKS),
            pregap: if number % 2 == 1 { 150 } else { 0 },
            indices: if number == 2 { vec![Lba(start + 20)] } else { Vec::new() },
            isrc: sound.then_some(*b"DEABC2400001"),
            extents: vec![Extent {
                first: Lba(start),
                blocks: BLOCKS,
                source: source.clone(),
                offset: u64::from(number - 1) * u64::from(BLOCKS) * 2352,
                stride: 2352,
                stored: 0..2352,
                subchannel: None,
            }],
        }
    };
    let session = |number, tracks: Vec<Track>| {
        let lead_out = tracks.last().map_or(Lba(0), |track| track.end);
        Session { number, tracks, lead_out, cd_text: Vec::new(), mode_5: Vec::new(), stored_type: None }
    };
    let sessions = vec![
        session(1, vec![track(1, TrackMode::Audio, 0), track(2, TrackMode::Audio, 40)]),
        session(2, vec![track(3, TrackMode::Mode1, 11_480), track(4, TrackMode::Mode2Xa, 11_520)]),
    ];
    Disc { medium: MediumType::CdRom, sessions, mcn: Some(*b"0123456789012"), structures: Vec::new(), dpm: None }
}

fn command(
    drive: &Drive,
    memory: &spindle::sys::memory::GuestMemory,
    nexus: Nexus,
    room: usize,
    cdb: &[u8],
    out: &[u8],
) {
    memory.write_slice(out, GuestAddress(OUT)).expect("inside the memory");
    memory.write_slice(&vec![0xA5; ROOM + 16], GuestAddress(0)).expect("inside the memory");
    let pieces = [(0, room / 3), (room as u64 / 3, room - room / 3)]
        .map(|(at, len)| memory.get_slice(GuestAddress(at), len).expect("inside the memory"));
    let sent = [memory.get_slice(GuestAddress(OUT), out.len() * 64).expect("inside the memory")];
    let mut padded = [0; 32];
    padded[..cdb.len()].copy_from_slice(cdb);
    let (data_in, data_out) = (DataIn::new(Scatter::new(&pieces)), DataOut::new(Scatter::new(&sent)));
    let mut task = Task::new(nexus, &[Lun(0)], padded, data_in, data_out);
    let status = drive.execute(&mut task);
    assert!(task.data_in.filled() <= room);
    if let Status::CheckCondition(sense, format) = status {
        let (bytes, len) = sense.encode(format);
        assert_eq!(bytes[0] & 0x7F, if format == SenseFormat::Fixed { 0x70 } else { 0x72 });
        assert_eq!(len, 8 + usize::from(bytes[7]));
    }
    // Nothing may be written past what is counted: what the initiator does not look at stays as it was.
    let mut guard = [0; 16];
    memory.read_slice(&mut guard, GuestAddress(room as u64)).expect("inside the memory");
    assert_eq!(guard, [0xA5; 16], "bytes past the buffer of {room} changed");
}
