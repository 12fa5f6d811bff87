//! DAX, after section 14.2 of the formats' description.

use super::pack::zlib;
use super::put::Put;

const FRAME: usize = 0x2000;

/// A file of `version`; of version 1, frames that do not become shorter are stored.
pub fn file(data: &[u8], version: u32) -> Vec<u8> {
    let mut areas: Vec<[u32; 2]> = Vec::new();
    let mut frames = Vec::new();
    for (number, frame) in (0..).zip(data.chunks(FRAME)) {
        let packed = zlib(frame);
        if version == 0 || packed.len() < frame.len() {
            frames.push(packed);
            continue;
        }
        frames.push(frame.to_vec());
        match areas.last_mut() {
            Some([first, count]) if *first + *count == number => *count += 1,
            _ => areas.push([number, 1]),
        }
    }
    let mut file = b"DAX\0".to_vec();
    file.le32s(&[data.len() as u32, version, areas.len() as u32, 0, 0, 0, 0]);
    let mut at = 32 + 6 * frames.len() + 8 * areas.len();
    for frame in &frames {
        file.le32(at as u32);
        at += frame.len();
    }
    frames.iter().for_each(|frame| file.le16(frame.len() as u16));
    areas.iter().for_each(|area| file.le32s(area));
    frames.iter().for_each(|frame| file.put(frame));
    file
}
