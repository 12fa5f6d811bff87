//! `readcd -clone`: table of contents and data, after section 3.2 of the formats' description.

use super::source_disc::{Mode, SourceDisc, interleaved};
use super::source_sector::{RAW, msf};

const STRIDE: usize = RAW + 96;

/// `padded` with a byte at the end of the table. What lies between sessions is zeros in the file.
pub fn files(disc: &SourceDisc, padded: bool) -> Vec<(String, Vec<u8>)> {
    let sessions = disc.by_session();
    let mut entries = Vec::new();
    for tracks in &sessions {
        let (first, last) = (&tracks[0], &tracks[tracks.len() - 1]);
        let xa = !matches!(first.mode, Mode::Audio | Mode::Mode1);
        let a0 = [first.number, if xa { 0x20 } else { 0 }, 0];
        let mut points = vec![(1, first, 0xA0, a0), (1, last, 0xA1, [last.number, 0, 0])];
        points.push((1, last, 0xA2, msf(last.end() + 150)));
        points.extend(tracks.iter().map(|track| (1, track, track.number, msf(track.start + 150))));
        if sessions.len() > 1 {
            points.extend([(5, first, 0xB0, [79, 59, 74]), (5, first, 0xC0, [97, 27, 21])]);
        }
        for (adr, track, point, position) in points {
            entries.extend([track.session, adr << 4 | track.control(), 0, point, 0, 0, 0, 0]);
            entries.extend(position);
        }
    }
    let mut toc = (2 + entries.len() as u16).to_be_bytes().to_vec();
    toc.extend([1, sessions.len() as u8]);
    toc.extend(entries);
    toc.extend([0, 0]);
    toc.extend(padded.then_some(0));
    let mut data = Vec::new();
    for track in &disc.tracks {
        let from = track.first().max(0);
        data.resize(from as usize * STRIDE, 0);
        data.extend(track.stored(from, 0..RAW, |lba| interleaved(&track.subchannel(lba))));
    }
    vec![("disc.toc".to_owned(), toc), ("disc".to_owned(), data)]
}
