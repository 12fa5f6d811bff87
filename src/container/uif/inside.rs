//! What an image of another format is made of: its descriptor and its data.

use std::fmt::Write;
use std::io;

use crate::container::{ImageError, ImageErrorKind};
use crate::source::{SharedSource, Siblings};

/// The files that a descriptor names: whatever it calls them, there is one with data, and for CCD one with subchannel.
#[derive(Debug)]
pub struct Inside {
    pub data: SharedSource,
    pub subchannel: Option<SharedSource>,
}

impl Siblings for Inside {
    fn open(&self, name: &[u8]) -> io::Result<SharedSource> {
        let ending = name.rsplit(|&byte| byte == b'.').next().unwrap_or_default().to_ascii_lowercase();
        let file = match &ending[..] {
            b"sub" => self.subchannel.as_ref(),
            // No room for it in this container.
            b"cdt" => None,
            _ => Some(&self.data),
        };
        file.cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn names(&self) -> io::Result<Vec<Vec<u8>>> {
        Ok(Vec::new())
    }
}

/// The CCD and the SUB of a descriptor: two lengths before both.
pub fn ccd_and_sub(bytes: &[u8]) -> Result<[Vec<u8>; 2], ImageError> {
    let parts = || {
        let (lengths, rest) = bytes.split_first_chunk::<8>()?;
        let [a, b, c, d, e, f, g, h] = *lengths;
        let lengths = [[a, b, c, d], [e, f, g, h]].map(|length| u32::from_le_bytes(length) as usize);
        let (ccd, rest) = rest.split_at_checked(lengths[0])?;
        Some([ccd.to_vec(), rest.get(..lengths[1])?.to_vec()])
    };
    parts().ok_or_else(|| ImageError::invalid("the CCD in the UIF is cut off"))
}

/// Bytes of an entry of the disc's layout, and where entries are at the earliest.
const ENTRY: usize = 68;
const ENTRIES: usize = 0x40;
/// What a time of the layout is more than one in the file.
const LEAD: u32 = 150;

/// A CUE sheet after the disc's layout (`blms`), for images whose descriptor is missing.
pub fn sheet(layout: &[u8]) -> Result<Vec<u8>, ImageError> {
    let word = |at: usize| layout.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes) as usize);
    // The entries are behind the names, where these are behind the header.
    let after = |at: usize| {
        let name = word(at).filter(|&name| name >= ENTRIES)?;
        Some(name + layout.get(name..)?.iter().position(|&byte| byte == 0)? + 1)
    };
    let start = [after(4), after(16)].into_iter().flatten().max().unwrap_or(ENTRIES);
    let mut text = String::from("FILE \"data\" BINARY\n");
    let mut last = 0;
    for entry in layout.get(start..).unwrap_or_default().as_chunks::<ENTRY>().0 {
        let point = entry[3];
        if !(1..=99).contains(&point) {
            continue;
        }
        if point <= last {
            return Err(ImageError::new(ImageErrorKind::Invalid, "the tracks of the UIF's layout are not in order"));
        }
        last = point;
        let is_sound = entry[1] & 4 == 0;
        let mode = match (u32::from_le_bytes([entry[24], entry[25], entry[26], entry[27]]), entry[11]) {
            _ if is_sound => "AUDIO",
            (2048, _) => "MODE1/2048",
            (2336, _) => "MODE2/2336",
            (2352, 2) => "MODE2/2352",
            (2352, _) => "MODE1/2352",
            (size, _) => return Err(ImageError::unsupported(format!("sectors of {size} bytes in a UIF"))),
        };
        let frames = (u32::from(entry[8]) * 60 + u32::from(entry[9])) * 75 + u32::from(entry[10]);
        let frames = frames.saturating_sub(LEAD);
        let [minutes, seconds, frames] = [frames / 4500, frames / 75 % 60, frames % 75];
        let _ = writeln!(text, "TRACK {point:02} {mode}\nINDEX 01 {minutes:02}:{seconds:02}:{frames:02}");
    }
    if last == 0 {
        return Err(ImageError::invalid("the layout of the UIF has no track"));
    }
    Ok(text.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(control: u8, point: u8, [minute, second, frame]: [u8; 3], mode: u8, size: u32) -> Vec<u8> {
        let mut entry = vec![0; ENTRY];
        entry[1] = control;
        entry[3] = point;
        entry[8..12].copy_from_slice(&[minute, second, frame, mode]);
        entry[24..28].copy_from_slice(&size.to_le_bytes());
        entry
    }

    #[test]
    fn a_layout_is_told_as_a_sheet() {
        let tracks = [
            entry(0x14, 0xA0, [1, 0, 0], 0, 0),
            entry(0x14, 1, [0, 2, 0], 1, 2352),
            entry(0x10, 2, [1, 2, 3], 0, 2352),
        ];
        let mut layout = vec![0; ENTRIES];
        let plain = [&layout[..], &tracks.concat()].concat();
        layout[4..8].copy_from_slice(&64_u32.to_le_bytes());
        layout[16..20].copy_from_slice(&70_u32.to_le_bytes());
        layout.extend(b"x.bin\0x.cue\0");
        let named = [&layout[..], &tracks.concat()].concat();
        let expected =
            "FILE \"data\" BINARY\nTRACK 01 MODE1/2352\nINDEX 01 00:00:00\nTRACK 02 AUDIO\nINDEX 01 01:00:03\n";
        for layout in [plain, named] {
            assert_eq!(String::from_utf8(sheet(&layout).unwrap()).unwrap(), expected);
        }
        assert!(sheet(&[0; 64]).is_err() && sheet(&[]).is_err());
    }
}
