//! MDS, version 1 of the Alcohol descriptor (formats.md, 7).

/// A session: first address, end, tracks.
pub struct Session {
    pub start: i32,
    pub end: i32,
    pub tracks: Vec<Track>,
}

/// A track as its block, extra block and footers say it.
pub struct Track {
    pub point: u8,
    pub mode: u8,
    pub interleaved: bool,
    pub bytes: u16,
    pub start: i32,
    pub offset: u64,
    pub pregap: u32,
    pub blocks: u32,
    pub files: Vec<Vec<u8>>,
}

/// Bytes at the end of the descriptor, and where a header field points at them.
struct Tail {
    fixed: usize,
    bytes: Vec<u8>,
}

impl Tail {
    fn add(&mut self, bytes: &[u8]) -> u32 {
        let at = self.fixed + self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        at as u32
    }
}

fn put(out: &mut [u8], at: usize, bytes: &[u8]) {
    out[at..at + bytes.len()].copy_from_slice(bytes);
}

/// The descriptor. A name that begins with a byte 0 is written in 16-bit characters, without that byte. The DPM block is
/// start, resolution and entries.
pub fn build(medium: u16, sessions: &[Session], structures: &[u8], dpm: Option<(u32, u32, &[u32])>) -> Vec<u8> {
    let tracks: usize = sessions.iter().map(|session| session.tracks.len() + 3).sum();
    let fixed = 88 + 24 * sessions.len() + 80 * tracks;
    let mut out = vec![0; fixed];
    let mut tail = Tail { fixed, bytes: Vec::new() };
    put(&mut out, 0, b"MEDIA DESCRIPTOR\x01\x05");
    put(&mut out, 18, &medium.to_le_bytes());
    put(&mut out, 20, &(sessions.len() as u16).to_le_bytes());
    put(&mut out, 80, &88_u32.to_le_bytes());
    if !structures.is_empty() {
        let at = tail.add(structures);
        put(&mut out, 64, &at.to_le_bytes());
    }
    if let Some((start, resolution, entries)) = dpm {
        let numbers = [1, start, resolution, entries.len() as u32];
        let block: Vec<u8> = numbers.iter().chain(entries).flat_map(|number| number.to_le_bytes()).collect();
        let block = tail.add(&block);
        let list = tail.add(&[1_u32.to_le_bytes(), block.to_le_bytes()].concat());
        put(&mut out, 84, &list.to_le_bytes());
    }
    let mut at = 88 + 24 * sessions.len();
    for (number, session) in (0_usize..).zip(sessions) {
        let block = 88 + 24 * number;
        put(&mut out, block, &session.start.to_le_bytes());
        put(&mut out, block + 4, &session.end.to_le_bytes());
        put(&mut out, block + 8, &(number as u16 + 1).to_le_bytes());
        put(&mut out, block + 10, &[session.tracks.len() as u8 + 3, 3]);
        put(&mut out, block + 20, &(at as u32).to_le_bytes());
        for point in [0xA0, 0xA1, 0xA2] {
            put(&mut out, at + 2, &[0x14, 0, point]);
            at += 80;
        }
        for track in &session.tracks {
            put(&mut out, at, &[track.mode, if track.interleaved { 8 } else { 0 }]);
            put(&mut out, at + 2, &[if track.mode & 7 == 1 { 0x12 } else { 0x14 }, 0, track.point]);
            let extra = match medium {
                0..=2 => tail.add(&[track.pregap.to_le_bytes(), track.blocks.to_le_bytes()].concat()),
                _ => track.blocks,
            };
            put(&mut out, at + 12, &extra.to_le_bytes());
            put(&mut out, at + 16, &track.bytes.to_le_bytes());
            put(&mut out, at + 36, &track.start.to_le_bytes());
            put(&mut out, at + 40, &track.offset.to_le_bytes());
            put(&mut out, at + 48, &(track.files.len() as u32).to_le_bytes());
            let footers: Vec<u8> = track.files.iter().flat_map(|name| footer(name, &mut tail)).collect();
            let footers = tail.add(&footers);
            put(&mut out, at + 52, &footers.to_le_bytes());
            at += 80;
        }
    }
    [out, tail.bytes].concat()
}

fn footer(name: &[u8], tail: &mut Tail) -> [u8; 16] {
    let (wide, bytes) = match name {
        [0, rest @ ..] => (1, rest.iter().chain(&[0]).flat_map(|&byte| [byte, 0]).collect()),
        name => (0, [name, &[0]].concat()),
    };
    let mut footer = [0; 16];
    put(&mut footer, 0, &tail.add(&bytes).to_le_bytes());
    put(&mut footer, 4, &[wide]);
    footer
}
