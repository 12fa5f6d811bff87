//! `spindle extract --track`: one track as a file of its own.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use super::convert::{not_written, sources};
use super::open::Image;
use super::output::{output, printable};
use super::progress::Progress;
use super::signals::cancelled_by_signals;
use super::{CliError, Exit};
use crate::export::{Job, Output, TrackFile, write_track};

/// Writes track `number` to `to`: a folder, made if need be, or a file whose ending says how (.iso, .wav, .flac).
///
/// # Errors
/// When there is no such track, or it cannot be read or written; nothing is left behind then.
pub fn run(image: &Image, number: u8, to: &Path, replace: bool) -> Result<(), CliError> {
    let opened = image.open()?;
    let no_track = || CliError::new(Exit::Failure, format!("{}: there is no track {number}", image.path.display()));
    let track = opened.disc.tracks().find(|track| track.number == number).ok_or_else(no_track)?;
    let usual = if track.mode.is_data() { TrackFile::Iso } else { TrackFile::Wave };
    let ending = to.extension().and_then(OsStr::to_str).map(str::to_ascii_lowercase);
    let is_folder = to.is_dir() || ending.is_none() || to.as_os_str().as_encoded_bytes().ends_with(b"/");
    let (path, kind) = if is_folder {
        fs::create_dir_all(to).map_err(|error| CliError::new(Exit::Failure, format!("{}: {error}", to.display())))?;
        let stem = image.path.file_stem().unwrap_or_default().to_string_lossy();
        (to.join(format!("{stem} (Track {number:02}).{}", usual.extension())), usual)
    } else {
        let kind = TrackFile::by_extension(ending.as_deref().unwrap_or_default());
        let unknown = "is neither a folder that exists nor a file that ends in .iso, .wav or .flac";
        (to.to_owned(), kind.ok_or_else(|| CliError::new(Exit::Usage, format!("{}: {unknown}", to.display())))?)
    };
    if (kind == TrackFile::Iso) != track.mode.is_data() {
        let (what, how) = if track.mode.is_data() { ("a data", ".iso") } else { ("an audio", ".wav or .flac") };
        let message = format!("{}: track {number} is {what} track; name a file that ends in {how}", path.display());
        return Err(CliError::new(Exit::Usage, message));
    }

    let cancelled = cancelled_by_signals()?;
    let bar = Progress::new("extracting", 0);
    let tick = |bytes| bar.add(bytes);
    let disc = &opened.disc;
    let job = Job { disc, track: Some(number), wave: false, lossy: false, progress: &tick, cancelled: &cancelled };
    bar.set_bytes(kind.bytes(track));
    let mut out = Output::new(&path, replace).keep(&sources(&image.path, &opened));
    let written = write_track(&job, track, kind, &mut out).and_then(|()| out.finish());
    bar.clear();
    let files: Vec<PathBuf> = written.map_err(|error| not_written(&path, error))?;
    output(|out| files.iter().try_for_each(|file| writeln!(out, "{}", printable(file.to_string_lossy().as_bytes()))))
}
