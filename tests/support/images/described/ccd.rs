//! CloneCD: descriptor, image and subchannel, after section 4 of the formats' description.

use std::fmt::Write;

use super::source_disc::{Mode, SourceDisc, SourceTrack};
use super::source_sector::{RAW, msf};

#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    pub subchannel: bool,
    /// Version 2, which says nothing of modes and indices.
    pub old: bool,
    pub scrambled: bool,
    pub spelling: Spelling,
    /// The modes of sections are not those of the sectors.
    pub wrong_modes: bool,
}

/// How the same is said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Spelling {
    #[default]
    Usual,
    /// Entries of several sessions and of the last track first, points that lay nothing out, the CRC counted in the length of
    /// the text, sections and keys that nobody knows.
    Full,
    /// Keys in capitals, hexadecimal numbers, lines that end in a line feed.
    Hexadecimal,
}

pub fn files(disc: &SourceDisc, options: Options) -> Vec<(String, Vec<u8>)> {
    let (mut image, mut subchannel) = (Vec::new(), Vec::new());
    for track in &disc.tracks {
        let from = from(disc, track);
        let mut sectors = track.stored(from, 0..RAW, |_| Vec::new());
        if options.scrambled && track.mode != Mode::Audio {
            sectors.chunks_mut(RAW).for_each(scramble);
        }
        image.extend(sectors);
        subchannel.extend((from..track.end()).flat_map(|lba| track.subchannel(lba)));
    }
    let mut files =
        vec![("disc.ccd".to_owned(), descriptor(disc, options).into_bytes()), ("disc.img".to_owned(), image)];
    if options.subchannel {
        files.push(("disc.sub".to_owned(), subchannel));
    }
    files
}

/// The first address that is stored: the two seconds before a session are not.
fn from(disc: &SourceDisc, track: &SourceTrack) -> i32 {
    let first = disc.by_session().iter().any(|tracks| tracks[0].number == track.number);
    track.first() + if first { 150 } else { 0 }
}

/// x^15 + x + 1, from 1 on, the lowest bit first.
fn scramble(sector: &mut [u8]) {
    let mut register = 1_u16;
    for byte in &mut sector[12..] {
        for bit in 0..8 {
            *byte ^= ((register & 1) as u8) << bit;
            let fed = (register ^ register >> 1) & 1;
            register = register >> 1 | fed << 14;
        }
    }
}

fn descriptor(disc: &SourceDisc, options: Options) -> String {
    let sessions = disc.by_session();
    let mut text = format!("[CloneCD]\r\nVersion={}\r\n[Disc]\r\n", if options.old { 2 } else { 3 });
    let full = options.spelling == Spelling::Full;
    let count = disc.tracks.len() + (if full { 5 } else { 3 }) * sessions.len();
    let scrambled = u8::from(options.scrambled);
    write!(text, "TocEntries={count}\r\nSessions={}\r\nDataTracksScrambled={scrambled}\r\n", sessions.len()).unwrap();
    let pack = if options.spelling == Spelling::Full { 18 } else { 16 };
    write!(text, "CDTextLength={}\r\n", pack * disc.cd_text.len()).unwrap();
    if let Some(mcn) = &disc.mcn {
        write!(text, "CATALOG={}\r\n", String::from_utf8_lossy(mcn)).unwrap();
    }
    if !disc.cd_text.is_empty() {
        write!(text, "[CDText]\r\nEntries={}\r\n", disc.cd_text.len()).unwrap();
        for (number, pack) in disc.cd_text.iter().enumerate() {
            let bytes: Vec<String> = pack[..16].iter().map(|byte| format!("{byte:02x}")).collect();
            write!(text, "Entry {number}={}\r\n", bytes.join(" ")).unwrap();
        }
    }
    let mut entries = 0;
    for tracks in &sessions {
        let (first, last) = (&tracks[0], &tracks[tracks.len() - 1]);
        let session = first.session;
        write!(text, "[Session {session}]\r\nPreGapMode={}\r\nPreGapSubC=0\r\n", mode(first)).unwrap();
        let xa = tracks.iter().any(|track| track.mode == Mode::Form1);
        let a0 = [first.number, if xa { 0x20 } else { 0 }, 0];
        let points = [(0xA0, first, a0), (0xA1, last, [last.number, 0, 0]), (0xA2, last, msf(last.end() + 150))];
        let tracks = tracks.iter().map(|track| (track.number, track, msf(track.start + 150)));
        let mut points: Vec<_> = points.into_iter().chain(tracks).collect();
        if full {
            points.extend([(0xB0, first, [79, 59, 74]), (0xC0, first, [97, 27, 21])]);
            points.reverse();
        }
        for (point, track, [minute, second, frame]) in points {
            let lba = (i32::from(minute) * 60 + i32::from(second)) * 75 + i32::from(frame) - 150;
            let adr = if matches!(point, 0xB0 | 0xC0) { 5 } else { 1 };
            write!(
                text,
                "[Entry {entries}]\r\nSession={session}\r\nPoint=0x{point:02x}\r\nADR=0x{adr:02x}\r\nControl=0x{:02x}\r\n\
                 TrackNo=0\r\nAMin=0\r\nASec=0\r\nAFrame=0\r\nALBA=-150\r\nZero=0\r\n\
                 PMin={minute}\r\nPSec={second}\r\nPFrame={frame}\r\nPLBA={lba}\r\n",
                track.control(),
            )
            .unwrap();
            entries += 1;
        }
    }
    if full {
        text.push_str("[Drive]\r\nVendor=NOBODY\r\nEntry 0=1 2 3\r\n");
    }
    for tracks in sessions.iter().filter(|_| !options.old) {
        let session = from(disc, &tracks[0]);
        tracks.iter().for_each(|track| track_section(&mut text, disc, track, session, options));
    }
    if options.spelling == Spelling::Hexadecimal { hexadecimal(&text) } else { text }
}

/// The same in capitals and hexadecimal numbers. What is no number stays: codes and packs.
fn hexadecimal(text: &str) -> String {
    let line = |line: &str| match line.split_once('=') {
        Some((key @ ("CATALOG" | "ISRC"), value)) => format!("{}={value}\n", key.to_lowercase()),
        Some((key, value)) => match value.parse::<u32>() {
            Ok(number) => format!("{}=0x{number:X}\n", key.to_uppercase()),
            Err(_) => format!("{}={value}\n", key.to_uppercase()),
        },
        None => format!("{}\n", line.to_uppercase()),
    };
    text.lines().map(line).collect()
}

fn mode(track: &SourceTrack) -> u8 {
    match track.mode {
        Mode::Audio => 0,
        Mode::Mode1 => 1,
        Mode::Form1 | Mode::Form2 | Mode::Mixed => 2,
    }
}

/// Its indices count from the start of the session.
fn track_section(text: &mut String, disc: &SourceDisc, track: &SourceTrack, session: i32, options: Options) {
    let mode = if options.wrong_modes { (mode(track) + 1) % 3 } else { mode(track) };
    write!(text, "[TRACK {}]\r\nMODE={mode}\r\n", track.number).unwrap();
    let flags = [(1, " PRE"), (2, " DCP")].into_iter().filter(|(bit, _)| track.flags & bit != 0);
    let flags: String = flags.map(|(_, name)| name).collect();
    if !flags.is_empty() {
        write!(text, "FLAGS={flags}\r\n").unwrap();
    }
    if let Some(isrc) = &track.isrc {
        write!(text, "ISRC={}\r\n", String::from_utf8_lossy(isrc)).unwrap();
    }
    if from(disc, track) < track.start && track.number > 1 {
        write!(text, "INDEX 0={}\r\n", from(disc, track) - session).unwrap();
    }
    let indices = [0].iter().chain(&track.indices);
    for (number, index) in (1..).zip(indices) {
        write!(text, "INDEX {number}={}\r\n", track.start - session + *index as i32).unwrap();
    }
}
