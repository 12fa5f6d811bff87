//! The arguments of `spindled`.

use std::io::Write as _;
use std::path::PathBuf;

use clap::Parser;
use clap::builder::{OsStringValueParser, PossibleValuesParser, TypedValueParser as _};
use log::LevelFilter;

use super::confine::Sandbox;
use super::spec::DriveSpec;
use crate::cli::error::{CliError, Exit};
use crate::cli::open::How;
use crate::cli::output::message;
use crate::drive::Behaviours;
use crate::sound;

/// What `--log-level` takes.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// A virtual optical drive for QEMU: a vhost-user-scsi back-end.
///
/// Start it beside a machine whose memory is shared, and give QEMU
/// -chardev socket,id=cd,path=PATH -device vhost-user-scsi-pci,chardev=cd,bootindex=0
#[derive(Debug, Parser)]
#[command(name = "spindled", version, max_term_width = 100)]
pub struct Args {
    /// The disc image in the first drive; without it the drive is empty
    image: Option<PathBuf>,

    /// Listen for QEMU on a new Unix socket at this path
    #[arg(long, value_name = "PATH", conflicts_with = "fd")]
    pub socket_path: Option<PathBuf>,

    /// Serve QEMU on an inherited Unix socket: a listening or a connected one
    #[arg(long, value_name = "N")]
    pub fd: Option<i32>,

    /// Let this group use the vhost-user socket: mode 0660 instead of 0600
    #[arg(long, value_name = "GROUP", conflicts_with = "fd")]
    pub socket_group: Option<String>,

    /// Listen for `spindle` and other QMP clients on a new Unix socket at this path
    ///
    /// By default PID.sock in the folder spindled of the runtime folder, where `spindle` looks for it.
    #[arg(long, value_name = "PATH")]
    pub control: Option<PathBuf>,

    /// Add a drive: name=cd1[,image=PATH][,vendor=…][,product=…][,revision=…][,serial=…][,tray=open][,behaviour=…][,audio=…][,socket=PATH]
    ///
    /// Repeat it for more. Those without a socket are logical units of one target, the first LUN 0; those with the same socket of
    /// their own are a target for another machine. A comma in a value is written twice.
    /// Without any there is one drive, cd0.
    #[arg(long = "drive", value_name = "SPEC",
          value_parser = OsStringValueParser::new().try_map(|text| DriveSpec::parse(&text)))]
    drives: Vec<DriveSpec>,

    /// What drives do as hardware does: real-speed, seek-delay, edc-errors, or several with + between them
    ///
    /// For every drive whose --drive does not name its own behaviours.
    #[arg(long, value_name = "NAMES", default_value_t)]
    behaviour: Behaviours,

    /// Where to play sound when a guest plays an audio CD: none, wav:FILE, host or host:DEVICE
    ///
    /// A WAVE file is made, or goes on where it ended. host is the default device of ALSA or PipeWire. For every drive whose
    /// --drive does not name its own.
    #[arg(long, value_name = "WHERE", default_value_t)]
    audio: sound::Choice,

    #[command(flatten)]
    pub how: How,

    /// Memory for decoded blocks of compressed images, such as 64M or 1G; all drives share it
    #[arg(long, value_name = "SIZE", default_value = "64M", value_parser = size)]
    pub cache_size: usize,

    /// Look at an empty ring for so many microseconds before waiting for the guest; alone 50
    ///
    /// Requests come back sooner, and a processor is busy as long as the guest reads and so long after.
    #[arg(long, value_name = "MICROSECONDS", num_args = 0..=1, default_value_t = 0, default_missing_value = "50",
          require_equals = true, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub poll: u32,

    /// How many seconds a read may take from an image on a network or on a file system of another process (FUSE); 0 for ever
    ///
    /// The guest is told to try again then: after 30 seconds Linux would reset the drive instead.
    #[arg(long, value_name = "SECONDS", default_value_t = 20, value_parser = clap::value_parser!(u32).range(0..=3600))]
    pub read_deadline: u32,

    /// Let control clients name images in this folder by path, again for each; others they pass as open files
    #[arg(long = "media-root", value_name = "FOLDER")]
    pub media_roots: Vec<PathBuf>,

    /// Keep what the drives remember in this folder, and go on from there after a restart
    ///
    /// Discs, trays, locks, pending events and settings, also after kill -9; no passwords. The folder is made if it is not there, and is
    /// for one daemon and one user. QEMU 10 with reconnect-ms= on its chardev then goes on as if nothing had been.
    #[arg(long, value_name = "FOLDER")]
    pub state_dir: Option<PathBuf>,

    /// Whether to give up capabilities, files and system calls that are not needed
    #[arg(long, value_name = "WHETHER", value_enum, default_value_t = Sandbox::On)]
    pub sandbox: Sandbox,

    /// End when the first front-end leaves, instead of waiting for the next
    #[arg(long)]
    pub once: bool,

    /// What to log on stderr: off, error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL", default_value = "info", hide_possible_values = true,
          value_parser = PossibleValuesParser::new(LEVELS).try_map(|level| level.parse::<LevelFilter>()))]
    pub log_level: LevelFilter,

    /// Print what this back-end is, in JSON, and exit
    #[arg(long)]
    print_capabilities: bool,
}

impl Args {
    /// The drives to make: those asked for, else one; the positional image is the first one's.
    ///
    /// # Errors
    /// When the image is given twice.
    pub fn drives(&self) -> Result<Vec<DriveSpec>, CliError> {
        let mut drives = self.drives.clone();
        if drives.is_empty() {
            drives.push(DriveSpec::named("cd0"));
        }
        if let (Some(image), Some(first)) = (&self.image, drives.first_mut())
            && first.image.replace(image.clone()).is_some()
        {
            return Err(CliError::new(Exit::Usage, format!("drive {} is given two images", first.name)));
        }
        for drive in &mut drives {
            drive.behaviours.get_or_insert(self.behaviour);
            drive.audio.get_or_insert_with(|| self.audio.clone());
        }
        Ok(drives)
    }
}

/// A number of bytes, with K, M or G for powers of 1,024.
fn size(text: &str) -> Result<usize, String> {
    let (digits, shift) = match text.as_bytes().last() {
        Some(b'K' | b'k') => (&text[..text.len() - 1], 10),
        Some(b'M' | b'm') => (&text[..text.len() - 1], 20),
        Some(b'G' | b'g') => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    let number: usize = digits.parse().map_err(|_| format!("\"{text}\" is not a size such as 64M"))?;
    number.checked_mul(1 << shift).ok_or_else(|| format!("{text} is more than this machine can address"))
}

/// Logs to stderr. `RUST_LOG` refines what `--log-level` sets. The ring crates log what a guest does wrong once for
/// each time it does; this crate names it once.
pub fn start_log(level: LevelFilter) {
    env_logger::Builder::new()
        .filter_level(level)
        .filter_module("virtio_queue", LevelFilter::Off)
        .filter_module("vhost_user_backend", LevelFilter::Error.min(level))
        .parse_default_env()
        .format(|out, record| writeln!(out, "[{:<5}] {}", record.level(), message(&record.args().to_string())))
        .init();
}

/// The number of a group given by name or number.
///
/// # Errors
/// When there is no such group.
pub fn group_id(group: &str) -> Result<u32, CliError> {
    if let Ok(number) = group.parse() {
        return Ok(number);
    }
    let known = std::fs::read_to_string("/etc/group").unwrap_or_default();
    known
        .lines()
        .map(|line| line.split(':'))
        .find_map(|mut fields| (fields.next()? == group).then(|| fields.nth(1)?.parse().ok())?)
        .ok_or_else(|| CliError::new(Exit::Failure, format!("--socket-group: there is no group {group}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_a_number_with_a_unit() {
        assert_eq!(size("0"), Ok(0));
        assert_eq!(size("4096"), Ok(4096));
        assert_eq!(size("64M"), Ok(64 << 20));
        assert_eq!(size("1g"), Ok(1 << 30));
        for wrong in ["", "M", "-1", "1T", "1.5G", "99999999999999999G", "\u{e9}"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_group_has_a_name_or_a_number() {
        assert_eq!(group_id("root").unwrap(), 0);
        assert_eq!(group_id("4711").unwrap(), 4711);
        assert!(group_id("no such group").is_err());
    }
}
