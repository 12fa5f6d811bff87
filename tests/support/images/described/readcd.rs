//! `readcd -clone`: table of contents and data, after section 3.2 of the formats' description.

use super::source_disc::{SourceDisc, interleaved};
use super::source_sector::{RAW, msf};

/// One session; `padded` with a byte at the end of the table.
pub fn files(disc: &SourceDisc, padded: bool) -> Vec<(String, Vec<u8>)> {
    let (first, last) = (&disc.tracks[0], &disc.tracks[disc.tracks.len() - 1]);
    let lead_in = [(0xA0, [first.number, 0, 0]), (0xA1, [last.number, 0, 0]), (0xA2, msf(last.end() + 150))];
    let lead_in = lead_in.iter().map(|&(point, position)| (first.control(), point, position));
    let tracks = disc.tracks.iter().map(|track| (track.control(), track.number, msf(track.start + 150)));
    let entries: Vec<u8> = lead_in
        .chain(tracks)
        .flat_map(|(control, point, position)| [&[1, 0x10 | control, 0, point, 0, 0, 0, 0], &position[..]].concat())
        .collect();
    let mut toc = (2 + entries.len() as u16).to_be_bytes().to_vec();
    toc.extend([1, 1]);
    toc.extend(entries);
    toc.extend([0, 0]);
    toc.extend(padded.then_some(0));
    let data = disc.tracks.iter().flat_map(|track| {
        let from = track.first().max(0);
        track.stored(from, 0..RAW, |lba| interleaved(&track.subchannel(lba)))
    });
    vec![("disc.toc".to_owned(), toc), ("disc".to_owned(), data.collect())]
}
