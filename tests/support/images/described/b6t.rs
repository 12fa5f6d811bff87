//! BlindWrite 5 and 6, descriptor and data files, after section 9 of the formats' description.

use super::put::Put;
use super::source_disc::{Mode, SourceDisc, SourceTrack, q16};
use super::source_sector::{RAW, msf};

/// What follows each sector in the data files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Subchannel {
    #[default]
    None,
    Q16,
    Linear,
}

#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    pub subchannel: Subchannel,
    /// Sectors after which a run goes on in another data file; else all lie in one.
    pub cut: Option<usize>,
    /// Data position measurement in its own file, and only the half of it in the descriptor.
    pub bwa: bool,
}

/// Sectors that lie one after another.
struct Run {
    audio: bool,
    first: i32,
    bytes: Vec<u8>,
    sectors: usize,
}

pub fn files(disc: &SourceDisc, options: Options) -> Vec<(String, Vec<u8>)> {
    let runs = runs(disc, options);
    let mut data: Vec<(String, Vec<u8>)> = Vec::new();
    let mut blocks = Vec::new();
    for run in &runs {
        if data.is_empty() || options.cut.is_some() {
            let name = if data.is_empty() { "disc.b6i".to_owned() } else { format!("disc.i{:02}", data.len()) };
            data.push((name, Vec::new()));
        }
        let (name, file) = data.last_mut().unwrap();
        blocks.push(block(run, name, file.len()));
        file.put(&run.bytes);
    }
    // Their order in the descriptor is not that of the disc.
    blocks.reverse();
    let mut files = vec![("disc.b6t".to_owned(), descriptor(disc, options, &blocks))];
    files.append(&mut data);
    if let Some(dpm) = disc.dpm.as_ref().filter(|_| options.bwa) {
        let mut bwa = Vec::new();
        bwa.le32s(&[1, 8, 1, dpm.start, dpm.resolution, dpm.entries.len() as u32]);
        bwa.le32s(&dpm.entries);
        files.push(("disc.bwa".to_owned(), bwa));
    }
    files
}

/// The tracks of a session that follow one another in one mode, without the pre-gap of the session.
fn runs(disc: &SourceDisc, options: Options) -> Vec<Run> {
    let mut runs = Vec::new();
    for tracks in disc.tracks.chunk_by(|a, b| a.session == b.session && a.mode == b.mode) {
        let sectors: Vec<Vec<u8>> = tracks.iter().flat_map(|track| stored(disc, track, options)).collect();
        let first = if tracks[0].pregap == 150 { tracks[0].start } else { tracks[0].first() };
        let cut = options.cut.unwrap_or(sectors.len());
        for (part, sectors) in sectors.chunks(cut).enumerate() {
            let first = first + (part * cut) as i32;
            let audio = tracks[0].mode == Mode::Audio;
            runs.push(Run { audio, first, bytes: sectors.concat(), sectors: sectors.len() });
        }
    }
    runs
}

fn stored(disc: &SourceDisc, track: &SourceTrack, options: Options) -> Vec<Vec<u8>> {
    let (from, bytes) = match (disc.dvd, track.pregap) {
        (true, _) => (0, 16..2064),
        (_, 150) => (track.start, 0..RAW),
        _ => (track.first(), 0..RAW),
    };
    let after = |lba| match options.subchannel {
        Subchannel::None => Vec::new(),
        Subchannel::Q16 => q16(&track.subchannel(lba)),
        Subchannel::Linear => track.subchannel(lba).to_vec(),
    };
    let all = track.stored(from, bytes, after);
    all.chunks(all.len() / (track.end() - from) as usize).map(<[u8]>::to_vec).collect()
}

fn block(run: &Run, name: &str, offset: usize) -> Vec<u8> {
    let name: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut block = Vec::new();
    block.le32(if run.audio { 0x8000 } else { 0 });
    block.le32(run.bytes.len() as u32);
    block.zeros(16);
    block.le32(offset as u32);
    block.zeros(12);
    block.put(&run.first.to_le_bytes());
    block.le32s(&[run.sectors as u32, name.len() as u32]);
    block.put(&name);
    block.le32(0);
    block
}

fn descriptor(disc: &SourceDisc, options: Options, blocks: &[Vec<u8>]) -> Vec<u8> {
    let structures = structures(disc);
    let mut data_blocks = Vec::new();
    let drive = b"\\\\.\\D:";
    data_blocks.le32s(&[blocks.len() as u32, drive.len() as u32]);
    data_blocks.put(drive);
    data_blocks.put(&blocks.concat());
    let sessions = sessions(disc, options);
    let dpm = internal_dpm(disc, options);
    let info = [&[0; 48][..], &(disc.tracks[0].end() - 1).to_be_bytes(), &2048_u32.to_be_bytes()].concat();

    let mut file = b"BWT5 STREAM SIGN".to_vec();
    file.le32s(&[2, 2, 6]);
    file.zeros(20);
    file.le16(if disc.dvd { 0x10 } else { 0x08 });
    file.le16(disc.by_session().len() as u16);
    file.le32s(&[2, 0, 0]);
    file.push(disc.mcn.is_some().into());
    file.put(&disc.mcn.unwrap_or([0; 13]));
    file.zeros(18);
    // PMA and ATIP: none.
    file.le32(0);
    file.le16(18 * disc.cd_text.len() as u16);
    file.le16(if disc.dvd { 0 } else { info.len() as u16 });
    file.zeros(16);
    file.le32s(&[structures.len() as u32, if disc.dvd { info.len() as u32 } else { 0 }]);

    file.zeros(32);
    file.put(b"SPINDLE VIRTUAL DRIVE   1.00");
    file.zeros(20);
    file.padded(b"VOLUME", 32);
    let mode_page = [0x2A; 28];
    let sizes = [mode_page.len(), 4, data_blocks.len(), sessions.len(), dpm.len()];
    file.le32s(&sizes.map(|size| size as u32));
    file.put(&mode_page);
    file.zeros(4);
    file.put(disc.cd_text.as_flattened());
    for part in [structures, info, data_blocks, sessions, dpm] {
        file.put(&part);
    }
    let length = file.len() as u32 + 20;
    file.le32(length);
    file.put(b"BWT5 STREAM FOOT");
    file
}

fn structures(disc: &SourceDisc) -> Vec<u8> {
    let mut all = Vec::new();
    if !disc.structures.is_empty() {
        all.le16(0);
    }
    for (format, data) in &disc.structures {
        all.le16((*format).into());
        all.put(&(data.len() as u16 + 2).to_be_bytes());
        all.le16(0);
        all.put(data);
    }
    all
}

fn sessions(disc: &SourceDisc, options: Options) -> Vec<u8> {
    let mut all = Vec::new();
    for tracks in disc.by_session() {
        let (first, last) = (&tracks[0], &tracks[tracks.len() - 1]);
        let lead_in = [(0xA0, [first.number, 0, 0]), (0xA1, [last.number, 0, 0]), (0xA2, msf(last.end() + 150))];
        let lead_in = if disc.dvd { &[][..] } else { &lead_in[..] };
        all.le16(first.session.into());
        all.put(&[(lead_in.len() + tracks.len()) as u8, 3]);
        all.put(&first.first().to_le_bytes());
        all.put(&last.end().to_le_bytes());
        all.le16(first.number.into());
        all.le16(last.number.into());
        for &(point, position) in lead_in {
            all.zeros(10);
            all.put(&[first.control(), 1, point, 0, 0, 0, 0, 0]);
            all.put(&position);
            all.zeros(43);
        }
        for track in tracks {
            all.put(&entry(disc, track, options));
        }
    }
    all
}

fn entry(disc: &SourceDisc, track: &SourceTrack, options: Options) -> Vec<u8> {
    let kind = match track.mode {
        _ if disc.dvd => 6,
        Mode::Audio => 1,
        Mode::Mode1 => 2,
        Mode::Form1 => 4,
        Mode::Form2 => 5,
        Mode::Mixed => 3,
    };
    let mut entry = vec![kind];
    entry.put(&[u8::from(matches!(kind, 2 | 4)); 3]);
    entry.le32(0);
    entry.put(&[if options.subchannel == Subchannel::None { 0 } else { 4 }, 0]);
    entry.put(&[track.control(), 1, track.number, 0, 0, 0, 0, 0]);
    entry.put(&msf(track.start + 150));
    entry.push(0);
    entry.le32(track.pregap);
    entry.zeros(16);
    entry.put(&track.first().to_le_bytes());
    entry.le32(track.sectors.len() as u32);
    entry.zeros(8);
    entry.le32(track.session.into());
    entry.le16(0);
    entry.zeros(if disc.dvd { 0 } else { 8 });
    entry
}

fn internal_dpm(disc: &SourceDisc, options: Options) -> Vec<u8> {
    let mut all = Vec::new();
    if let Some(dpm) = &disc.dpm {
        let entries = if options.bwa { &dpm.entries[..dpm.entries.len() / 2] } else { &dpm.entries };
        let length = 20 + 4 * entries.len() as u32;
        all.le32s(&[1, 1, 0, 0, length, length, 0, 1, dpm.start, dpm.resolution, entries.len() as u32]);
        all.le32s(entries);
    }
    all
}
