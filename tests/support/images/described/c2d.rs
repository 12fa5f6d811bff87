//! WinOnCD files, after section 12 of the formats' description.

use super::put::Put;
use super::source_disc::{Mode, SourceDisc, SourceTrack, interleaved};

/// What is stored of each sector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// 2,048 bytes of data sectors, 2,324 of those of Form 2.
    UserData,
    /// 2,336 bytes of Mode 2 sectors.
    WithoutHeader,
    Raw,
    /// With the subchannel.
    RawPw,
}

const HEADER: usize = 196;
const BLOCK: usize = 44;
/// The file offset of an index that has none.
const NONE: u64 = 0xFFFF_FFFF;

const ADAPTEC: &str = "Adaptec CeQuadrat VirtualCD File";

/// Adaptec's has a picture at the end.
pub fn files(disc: &SourceDisc, signature: &str, stored: Stored) -> Vec<(String, Vec<u8>)> {
    let art = signature == ADAPTEC;
    let count: usize = disc.tracks.iter().map(|track| indices(track).len()).sum();
    let blocks_at = HEADER + 18 * disc.cd_text.len();
    let data_at = blocks_at + BLOCK * count;
    let (mut blocks, mut data) = (Vec::new(), Vec::new());
    for track in &disc.tracks {
        let range = match (stored, track.mode) {
            (Stored::UserData, _) => track.user_data(),
            (Stored::WithoutHeader, Mode::Form1 | Mode::Form2 | Mode::Mixed) => 16..2352,
            _ => 0..2352,
        };
        let size = range.len() + if stored == Stored::RawPw { 96 } else { 0 };
        let indices = indices(track);
        for (at, &(index, first)) in indices.iter().enumerate() {
            let end = indices.get(at + 1).map_or(track.end(), |next| next.1);
            let offset = data_at + data.len() + size * (first - indices[0].1) as usize;
            let offset = if index > 1 { NONE } else { offset as u64 };
            blocks.put(&block(track, index, first, end, offset, size));
        }
        data.put(&track.stored(indices[0].1, range, |lba| match stored {
            Stored::RawPw => interleaved(&track.subchannel(lba)),
            Stored::UserData | Stored::WithoutHeader | Stored::Raw => Vec::new(),
        }));
    }
    let mut file = Vec::new();
    file.padded(signature.as_bytes(), 32);
    file.le16(HEADER as u16);
    file.le16(disc.mcn.is_some().into());
    file.put(&disc.mcn.unwrap_or([0; 13]));
    file.push(0);
    file.le16(count as u16);
    file.le32s(&[18 * disc.cd_text.len() as u32, blocks_at as u32, 0]);
    file.padded(b"made by a test", 128);
    file.le32(if art { (data_at + data.len()) as u32 } else { 0 });
    file.put(disc.cd_text.as_flattened());
    file.put(&blocks);
    file.put(&data);
    if art {
        file.le32(32);
        file.put(b"C2CK");
        file.zeros(8);
        file.le64((data_at + data.len() + 32) as u64);
        file.zeros(8);
        file.put(b"WOCD");
        file.zeros(60);
    }
    vec![("disc.c2d".to_owned(), file)]
}

/// The indices that have a block, with their addresses: no index 0 for the pre-gap of the disc.
fn indices(track: &SourceTrack) -> Vec<(u8, i32)> {
    let pregap = (track.pregap > 0 && track.number > 1).then_some((0, track.first()));
    let later = (2..).zip(&track.indices).map(|(number, &index)| (number, track.start + index as i32));
    pregap.into_iter().chain([(1, track.start)]).chain(later).collect()
}

fn block(track: &SourceTrack, index: u8, first: i32, end: i32, offset: u64, size: usize) -> Vec<u8> {
    let mut block = Vec::new();
    block.le32s(&[BLOCK as u32, first as u32, end as u32 - 1]);
    block.le64(offset);
    block.le32(size as u32);
    block.put(&track.isrc.filter(|_| index == 1).unwrap_or([0; 12]));
    let flags = [(1, 2), (2, 1), (4, 4)].into_iter().filter(|(bit, _)| track.control() & bit != 0);
    block.put(&[flags.map(|(_, flag)| flag).sum::<u8>(), track.session, track.number, index]);
    block.push(match track.mode {
        Mode::Audio if track.number.is_multiple_of(2) => 0,
        Mode::Audio => 0xFF,
        Mode::Mode1 => 1,
        Mode::Form1 | Mode::Form2 | Mode::Mixed => 2,
    });
    block.zeros(3);
    block
}
