//! `spindle extract`: files from a disc into a folder, without mounting.

use std::io::{IsTerminal, stderr};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::extract_into::{Folder, FolderError, safe_name};
use super::ls::Choice;
use super::open::Image;
use super::output::{message, printable_path};
use super::{CliError, Exit, extract_track};
use crate::disc::{BLOCK_SIZE, Disc};
use crate::fs::{self, FileSystem, Flow, FsError, Kind, Node, Step};

/// Copy files from a disc image into a folder
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    image: Image,
    /// Files or folders on the disc; default: everything
    paths: Vec<PathBuf>,
    /// The folder to write to; it is made if it does not exist. With --track, it may be a file: .iso, .wav or .flac
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// Write this track as it is: a data track as ISO, an audio track as WAVE or FLAC
    #[arg(long, value_name = "N", conflicts_with = "paths")]
    track: Option<u8>,
    /// Replace files that exist
    #[arg(short, long)]
    force: bool,
    #[command(flatten)]
    choice: Choice,
}

/// Extracts the paths.
///
/// # Errors
/// When something could not be extracted: each is told on standard error, and the rest is there.
pub fn run(args: &Args) -> Result<(), CliError> {
    if let Some(number) = args.track {
        return extract_track::run(&args.image, number, &args.output, args.force);
    }
    let opened = args.image.open()?;
    let fs = fs::open(&opened.disc, args.choice.namespace())?;
    std::fs::create_dir_all(&args.output)
        .map_err(|error| CliError::new(Exit::Failure, format!("{}: {error}", args.output.display())))?;
    let folder = Folder::open(&args.output, args.force)
        .map_err(|error| CliError::new(Exit::Failure, format!("{}: {error}", args.output.display())))?;
    let mut extract = Extract { fs: &*fs, disc: &opened.disc, folder, failures: 0, progress: Progress::new() };
    if args.paths.is_empty() {
        extract.path(b"");
    }
    for path in &args.paths {
        extract.path(path.as_os_str().as_bytes());
    }
    extract.progress.clear();
    match extract.failures {
        0 => Ok(()),
        1 => Err(CliError::new(Exit::Failure, "1 file or folder could not be extracted")),
        failures => Err(CliError::new(Exit::Failure, format!("{failures} files or folders could not be extracted"))),
    }
}

struct Extract<'a> {
    fs: &'a dyn FileSystem,
    disc: &'a Disc,
    folder: Folder,
    failures: u64,
    progress: Progress,
}

impl Extract<'_> {
    /// One path of the command line, with its parents.
    fn path(&mut self, path: &[u8]) {
        let parts = path.split(|byte| *byte == b'/').filter(|part| !matches!(*part, b"" | b"."));
        let names: Vec<Vec<u8>> = parts.map(<[u8]>::to_vec).collect();
        let node = match fs::find(self.fs, path) {
            Ok(node) => node,
            // That names the path itself.
            Err(error @ FsError::NotFound(_)) => return self.tell(&error.to_string()),
            Err(error) => return self.fail(&names, &error),
        };
        if !names.iter().all(|name| safe_name(name)) {
            return self.fail(&names, &FolderError::Name);
        }
        if !names.is_empty() && self.node(&names, &node) == Flow::Past {
            return;
        }
        let fs = self.fs;
        fs::walk(fs, &node, &mut |inside, step| {
            let names = [names.as_slice(), inside].concat();
            match step {
                Step::Node(node) => self.node(&names, node),
                Step::Problem(problem) => {
                    self.fail(&names, &problem);
                    Flow::Into
                }
            }
        });
    }

    fn node(&mut self, names: &[Vec<u8>], node: &Node) -> Flow {
        let result = match &node.kind {
            Kind::Directory => self.folder.directory(names),
            Kind::Symlink(target) => self.folder.symlink(names, target),
            Kind::File => self.file(names, node),
            Kind::BlockDevice | Kind::CharDevice | Kind::Fifo | Kind::Socket => Err(FolderError::Special),
        };
        match result {
            Ok(()) if node.is_dir() => Flow::Into,
            Ok(()) => Flow::Past,
            Err(error) => {
                self.fail(names, &error);
                Flow::Past
            }
        }
    }

    fn file(&mut self, names: &[Vec<u8>], node: &Node) -> Result<(), FolderError> {
        let pieces = self.fs.pieces(node)?;
        // Else a few descriptors of one place fill the disk of who extracts. Holes do not.
        let limit = u64::from(self.disc.blocks()) * u64::from(BLOCK_SIZE);
        if fs::stored(&pieces) > limit {
            return Err(FsError::Limit { what: "bytes in one file, which are all that the disc has", limit }.into());
        }
        let Self { folder, disc, progress, .. } = self;
        folder.file(names, node, |target| {
            let mut shown = Shown { target, progress, names };
            fs::copy(disc, &pieces, &mut shown)
        })
    }

    fn fail(&mut self, names: &[Vec<u8>], error: &dyn std::fmt::Display) {
        self.tell(&format!("/{}: {error}", printable_path(names)));
    }

    fn tell(&mut self, problem: &str) {
        self.progress.clear();
        self.failures += 1;
        eprintln!("spindle: {}", message(problem));
    }
}

/// The line on standard error, when that is a terminal.
struct Progress {
    wanted: bool,
    bytes: u64,
    shown: Instant,
    there: bool,
}

impl Progress {
    const EVERY: Duration = Duration::from_millis(200);

    fn new() -> Self {
        Self { wanted: stderr().is_terminal(), bytes: 0, shown: Instant::now(), there: false }
    }

    fn add(&mut self, bytes: u64, names: &[Vec<u8>]) {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.wanted && self.shown.elapsed() >= Self::EVERY {
            self.shown = Instant::now();
            self.there = true;
            eprint!("\r\x1B[K{} MB  {}", self.bytes / 1_000_000, printable_path(names));
        }
    }

    fn clear(&mut self) {
        if std::mem::take(&mut self.there) {
            eprint!("\r\x1B[K");
        }
    }
}

/// Counts what goes to a target.
struct Shown<'a> {
    target: &'a mut dyn fs::Target,
    progress: &'a mut Progress,
    names: &'a [Vec<u8>],
}

impl fs::Target for Shown<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.progress.add(bytes.len() as u64, self.names);
        self.target.write(bytes)
    }

    fn zeros(&mut self, bytes: u64) -> std::io::Result<()> {
        self.progress.add(bytes, self.names);
        self.target.zeros(bytes)
    }
}
