//! DAEMON Tools: one file, or descriptor and data file, after section 8 of the formats' description.

use super::mdx_cipher::{Keys, Lock};
use super::mdx_data::{Data, GROUP, from, put_data, range, zlib};
use super::put::Put;
use super::source_disc::{Mode, SourceDisc, SourceTrack};
use super::source_sector::msf;

/// What is stored of data sectors.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Stored {
    #[default]
    Raw,
    UserData,
    /// Header, sub-header and user data.
    WithHeader,
}

/// What follows each sector.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Subchannel {
    #[default]
    None,
    Pw,
    Q16,
    /// P and Q are zeros.
    Rw,
}

#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Descriptor and data in two files.
    pub two_files: bool,
    pub minor: u8,
    pub stored: Stored,
    pub subchannel: Subchannel,
    pub compressed: bool,
    pub password: Option<&'static str>,
    /// The data is encrypted, but nobody has to give a password.
    pub of_salt: bool,
    /// The second half of the last track lies in a data file of its own.
    pub split: bool,
    /// The pre-gaps of all tracks but the first of a session are stored.
    pub pregaps: bool,
}

impl Options {
    pub fn is_encrypted(self) -> bool {
        self.of_salt || self.password.is_some()
    }
}

pub fn files(disc: &SourceDisc, options: Options) -> Vec<(String, Vec<u8>)> {
    let mut head = b"MEDIA DESCRIPTOR".to_vec();
    head.put(&[2, options.minor]);
    head.padded(b"(c) made by a test", 26);
    let mut file = if options.two_files { Vec::new() } else { [&head[..], &[0; 20]].concat() };
    let data_keys = Keys::new(99);
    let mut second = Vec::new();
    let last = disc.tracks.last().unwrap().number;
    let data = disc.tracks.iter().map(|track| {
        let count = (track.end() - from(track, options)) as usize;
        let cut = if options.split && track.number == last { count / 2 } else { count };
        let mut pieces = vec![put_data(&mut file, disc, track, options, 0..cut, &data_keys)];
        if cut < count {
            pieces.push(put_data(&mut second, disc, track, options, cut..count, &data_keys));
        }
        pieces
    });
    let data: Vec<Vec<Data>> = data.collect();
    let descriptor = descriptor(disc, options, &head[..18], &data, &data_keys);
    let whole = descriptor.len() - 18;
    let mut packed = zlib(&descriptor[18..]);
    let compressed = packed.len();
    packed.resize(compressed.next_multiple_of(16), 0);
    let keys = Keys::new(5);
    keys.encrypt_descriptor(&mut packed);
    let header = keys.header(Lock::Descriptor, [compressed as u32, whole as u32]);
    if options.two_files {
        head.le32(48 + packed.len() as u32);
        let descriptor = [head, packed, header].concat();
        let mut files = vec![("disc.mds".to_owned(), descriptor), ("disc.mdf".to_owned(), file)];
        files.extend(options.split.then(|| ("disc-2.mdf".to_owned(), second)));
        return files;
    }
    let footer = [file.len() as u64, packed.len() as u64 + 64];
    file[44..48].fill(0xFF);
    file[48..64].copy_from_slice([footer[0].to_le_bytes(), footer[1].to_le_bytes()].as_flattened());
    file.put(&packed);
    file.put(&header);
    vec![("disc.mdx".to_owned(), file)]
}

fn descriptor(disc: &SourceDisc, options: Options, head: &[u8], data: &[Vec<Data>], keys: &Keys) -> Vec<u8> {
    let sessions = disc.by_session();
    let lead_in = if disc.dvd { 0 } else { 3 };
    let blocks_at = 96 + 32 * sessions.len();
    let extras_at = blocks_at + 80 * (disc.tracks.len() + lead_in * sessions.len());
    let footers_at = extras_at + 8 * disc.tracks.len();
    let name_at = footers_at + 32 * data.iter().map(Vec::len).sum::<usize>();
    let mut tail: Vec<u8> = Vec::new();
    if options.two_files {
        tail.extend("disc.mdf\0disc-2.mdf\0".encode_utf16().flat_map(u16::to_le_bytes));
    }
    let text_at = name_at + tail.len();
    tail.put(disc.cd_text.as_flattened());
    let structures_at = name_at + tail.len();
    for format in [1, 4, 0] {
        let of_format = disc.structures.iter().filter(|structure| structure.0 == format);
        of_format.for_each(|(_, data)| tail.put(data));
    }
    let dpm_at = name_at + tail.len();
    if let Some(dpm) = &disc.dpm {
        tail.le32s(&[1, dpm_at as u32 + 8, 1, dpm.start, dpm.resolution, dpm.entries.len() as u32]);
        tail.le32s(&dpm.entries);
    }
    let keys_at = name_at + tail.len();
    let offset = |there: bool, at: usize| if there { at as u32 } else { 0 };

    let mut file = head.to_vec();
    file.le16(if disc.dvd { 3 } else { 0 });
    file.le16(sessions.len() as u16);
    file.zeros(8);
    file.le16(18 * disc.cd_text.len() as u16);
    file.zeros(8);
    file.le32(offset(!disc.cd_text.is_empty(), text_at));
    file.zeros(20);
    file.le32(offset(!disc.structures.is_empty(), structures_at));
    file.zeros(12);
    file.le32s(&[96, offset(disc.dpm.is_some(), dpm_at), offset(options.is_encrypted(), keys_at), 0]);
    let mut at = blocks_at;
    for tracks in &sessions {
        let (first, last) = (&tracks[0], &tracks[tracks.len() - 1]);
        file.put(&i64::from(first.first()).to_le_bytes());
        file.le16(first.session.into());
        file.put(&[(lead_in + tracks.len()) as u8, lead_in as u8]);
        file.le16(first.number.into());
        file.le16(last.number.into());
        file.le32s(&[0, at as u32]);
        file.put(&i64::from(last.end()).to_le_bytes());
        at += 80 * (lead_in + tracks.len());
    }
    let (mut index, mut footer) = (0, 0);
    for tracks in &sessions {
        let (first, last) = (&tracks[0], &tracks[tracks.len() - 1]);
        let points = [(0xA0, [first.number, 0, 0]), (0xA1, [last.number, 0, 0]), (0xA2, msf(last.end() + 150))];
        for (point, position) in &points[..lead_in] {
            file.put(&[0, 0, 0x10 | first.control(), 0, *point, 0, 0, 0, 0]);
            file.put(position);
            file.zeros(68);
        }
        for track in *tracks {
            let places = [extras_at + 8 * index, footers_at + 32 * footer];
            file.put(&block(disc, track, options, &data[index], places));
            footer += data[index].len();
            index += 1;
        }
    }
    for track in &disc.tracks {
        file.le32s(&[track.pregap, track.blocks()]);
    }
    for (piece, data) in data.iter().flat_map(|pieces| pieces.iter().enumerate()) {
        let name_at = name_at + piece * 2 * "disc.mdf\0".len();
        file.le32(offset(options.two_files, name_at));
        file.put(&[options.compressed.into(), 0, 0, 0]);
        file.le32s(&[0, GROUP as u32]);
        file.le64(data.sectors as u64);
        file.le64(if options.compressed { data.table as u64 } else { 0 });
    }
    file.put(&tail);
    let salt = options.of_salt.then_some(Lock::Salt);
    if let Some(lock) = options.password.map(|password| Lock::Password(password.as_bytes())).or(salt) {
        file.put(&keys.header(lock, [0; 2]));
    }
    file
}

fn block(
    disc: &SourceDisc,
    track: &SourceTrack,
    options: Options,
    data: &[Data],
    [extra, footer]: [usize; 2],
) -> Vec<u8> {
    let start = from(track, options);
    let kind = match track.mode {
        Mode::Audio => 1,
        Mode::Mode1 => 2,
        Mode::Mixed => 3,
        Mode::Form1 => 4,
        Mode::Form2 => 5,
    };
    let subheader = if kind > 3 { 0x40 } else { 0 };
    // Of a Mode 2 sector all but sync and header counts as user data.
    let codes = if kind == 3 { 0 } else { 8 };
    let parts = match range(disc, track, options.stored).start {
        0 => 0xA0 | codes | subheader,
        12 => 0x20 | subheader,
        _ => 0,
    };
    let subchannel = match options.subchannel {
        _ if options.minor == 0 => 0,
        Subchannel::None => 0,
        Subchannel::Pw => 1,
        Subchannel::Q16 => 2,
        Subchannel::Rw => 4,
    };
    let mut block = vec![kind | parts, subchannel << 3, 0x10 | track.control(), 0, track.number, 0, 0, 0, 0];
    block.put(&msf(track.start + 150));
    block.le32(if disc.dvd { 0 } else { extra as u32 });
    block.le16(data[0].size as u16);
    block.zeros(18);
    block.put(&start.to_le_bytes());
    block.le64(data[0].offset as u64);
    block.le32s(&[data.len() as u32, footer as u32]);
    block.put(&i64::from(start).to_le_bytes());
    block.le64(if disc.dvd { track.blocks().into() } else { 0 });
    block.zeros(8);
    block
}
