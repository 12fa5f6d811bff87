//! Discs of every kind that programs for optical drives tell apart, small and with known content: sound that repeats
//! nowhere, file systems whose files count, texts, codes and indices.

pub mod audio;
pub mod bridges;
pub mod dvd;
pub mod extra;
pub mod film;
pub mod forms;
pub mod mixed;
pub mod sessions;
pub mod video_cd;
pub mod xa;

use std::fs;
use std::path::Path;

use super::described::source_disc::{Mode, SourceDisc, SourceTrack};
use super::described::source_sector::{RAW, data_sector};
use crate::support::host::run;

/// Sound that no other sector of any disc has.
pub fn sound(lba: i32) -> [u8; RAW] {
    let mut state = (lba as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x2545_F491_4F6C_DD1D;
    let mut raw = [0; RAW];
    for word in raw.chunks_exact_mut(8) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        word.copy_from_slice(&state.to_le_bytes());
    }
    raw
}

/// A disc without texts, codes and indices; its sound is [`sound`], but for the two seconds before each session, which no
/// image stores.
fn plain(tracks: &[(u8, Mode, u32, u32)]) -> SourceDisc {
    let mut disc = SourceDisc::cd(tracks);
    (disc.mcn, disc.dpm) = (None, None);
    disc.cd_text.clear();
    let mut session = 0;
    for track in &mut disc.tracks {
        (track.isrc, track.indices) = (None, Vec::new());
        let silent = if track.session == session { 0 } else { 150 };
        session = track.session;
        if track.mode == Mode::Audio {
            let from = track.first();
            for (lba, sector) in (from..).zip(&mut track.sectors) {
                *sector = if lba < from + silent { [0; RAW] } else { sound(lba) };
            }
        }
    }
    disc
}

/// An ISO 9660 file system with the file `name`, laid out for a track that starts at `start`: whole blocks of user data.
fn file_system(start: i32, label: &str, name: &str, bytes: &[u8]) -> Vec<u8> {
    volume(&["-J"], start, label, name, bytes)
}

/// The same with what `kinds` ask genisoimage for.
fn volume(kinds: &[&str], start: i32, label: &str, name: &str, bytes: &[u8]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::create_dir(folder.path().join("files")).unwrap();
    fs::write(folder.path().join("files").join(name), bytes).unwrap();
    let begin = format!("0,{start}");
    let mut arguments = if start == 0 { Vec::new() } else { vec!["-C".to_owned(), begin] };
    arguments.extend(kinds.iter().chain(&["-quiet", "-V", label, "-o"]).map(|&argument| argument.to_owned()));
    arguments.extend([path("volume"), path("files")]);
    run("genisoimage", &arguments.iter().map(String::as_str).collect::<Vec<_>>());
    fs::read(folder.path().join("volume")).unwrap()
}

/// Puts blocks of user data into a data track, from index 1 on.
fn fill(track: &mut SourceTrack, blocks: &[u8]) {
    let (start, mode) = (track.start, track.mode);
    let sectors = &mut track.sectors[track.pregap as usize..];
    for ((lba, block), sector) in (start..).zip(blocks.chunks_exact(2048)).zip(sectors) {
        *sector = data_sector(mode, lba, block);
    }
}

/// Blocks in which every line has a number of its own.
pub fn text(blocks: u32) -> Vec<u8> {
    (0..blocks * 128).flat_map(|line| format!("{line:015}\n").into_bytes()).collect()
}

/// Minute, second, frame with colons.
fn time(frames: u32) -> String {
    format!("{:02}:{:02}:{:02}", frames / 4500, frames / 75 % 60, frames % 75)
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> String {
    let path = folder.join(name);
    fs::write(&path, bytes).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Writes a builder's files, named after `name`; gives the path of the first.
pub fn put(folder: &Path, name: &str, files: &[(String, Vec<u8>)]) -> String {
    let paths = files.iter().map(|(file, bytes)| write(folder, &file.replace("disc.", &format!("{name}.")), bytes));
    paths.collect::<Vec<_>>().swap_remove(0)
}
