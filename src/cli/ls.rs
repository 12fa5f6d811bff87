//! `spindle ls`: the files on a disc.

use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use serde::Serialize;

use super::open::Image;
use super::output::{output, printable, printable_path};
use super::{CliError, Exit};
use crate::fs::{self, FileSystem, Flow, FsError, Kind, Namespace, Node, Step};

/// List the files on a disc image
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    image: Image,
    /// A file or folder on the disc
    #[arg(default_value = "/")]
    path: PathBuf,
    /// List folders inside folders too, with their paths
    #[arg(short = 'R', long)]
    recursive: bool,
    /// Print JSON instead of text
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    choice: Choice,
}

/// Which names to read, shared by the verbs that read files.
#[derive(Debug, clap::Args)]
pub struct Choice {
    /// The names to read; default: the first that the disc has of rockridge, udf, joliet, iso
    #[arg(long, value_enum, value_name = "NAMES")]
    fs: Option<Names>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Names {
    Iso,
    Joliet,
    Rockridge,
    Udf,
}

impl Choice {
    /// The name space that was asked for.
    pub fn namespace(&self) -> Option<Namespace> {
        self.fs.map(|names| match names {
            Names::Iso => Namespace::Iso,
            Names::Joliet => Namespace::Joliet,
            Names::Rockridge => Namespace::RockRidge,
            Names::Udf => Namespace::Udf,
        })
    }
}

impl From<FsError> for CliError {
    fn from(error: FsError) -> Self {
        let exit = if matches!(error, FsError::Absent) { Exit::NotRecognised } else { Exit::Failure };
        Self::new(exit, error.to_string())
    }
}

/// Lists `PATH` of the image.
///
/// # Errors
/// When there is no such path, or part of it could not be read: the rest is listed.
pub fn run(args: &Args) -> Result<(), CliError> {
    let opened = args.image.open()?;
    let fs = fs::open(&opened.disc, args.choice.namespace())?;
    let node = fs::find(&*fs, args.path.as_os_str().as_bytes())?;
    let mut problems = 0;
    output(|out| {
        let mut list = List { out, json: args.json, first: true };
        list.begin(fs.namespace())?;
        problems = list.contents(&*fs, &node, args.recursive)?;
        list.end()
    })?;
    match problems {
        0 => Ok(()),
        problems => Err(CliError::new(Exit::Failure, format!("{problems} parts of the disc could not be read"))),
    }
}

#[derive(Serialize)]
struct Line<'a> {
    path: String,
    r#type: &'static str,
    size: u64,
    mode: Option<String>,
    uid: Option<u32>,
    gid: Option<u32>,
    modified: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<std::borrow::Cow<'a, str>>,
}

struct List<'a> {
    out: &'a mut dyn Write,
    json: bool,
    first: bool,
}

impl List<'_> {
    fn begin(&mut self, namespace: Namespace) -> io::Result<()> {
        match self.json {
            true => write!(self.out, "{{\"fs\": \"{}\", \"entries\": [", namespace.id()),
            false => Ok(()),
        }
    }

    fn end(&mut self) -> io::Result<()> {
        match self.json {
            true => writeln!(self.out, "\n]}}"),
            false => Ok(()),
        }
    }

    /// Gives the number of problems, which are told on standard error.
    fn contents(&mut self, fs: &dyn FileSystem, node: &Node, recursive: bool) -> io::Result<u32> {
        if !node.is_dir() {
            self.line(std::slice::from_ref(&node.name), node)?;
            return Ok(0);
        }
        let (mut problems, mut result) = (0_u32, Ok(()));
        fs::walk(fs, node, &mut |path, step| match step {
            Step::Node(node) => {
                result = self.line(path, node);
                match (&result, recursive) {
                    (Err(_), _) => Flow::Stop,
                    (Ok(()), true) => Flow::Into,
                    (Ok(()), false) => Flow::Past,
                }
            }
            Step::Problem(problem) => {
                problems = problems.saturating_add(1);
                eprintln!("spindle: /{}: {problem}", printable_path(path));
                Flow::Into
            }
        });
        result.map(|()| problems)
    }

    fn line(&mut self, path: &[Vec<u8>], node: &Node) -> io::Result<()> {
        if self.json {
            write!(self.out, "{}\n  ", if std::mem::take(&mut self.first) { "" } else { "," })?;
            serde_json::to_writer(&mut *self.out, &Line::new(path, node))?;
            return Ok(());
        }
        let time = node.modified.map_or_else(|| "-".to_owned(), |time| time.to_string());
        write!(self.out, "{} {:>13} {time:25} {}", mode(node), node.size, printable_path(path))?;
        match &node.kind {
            Kind::Symlink(target) => writeln!(self.out, " -> {}", printable(target)),
            _ => writeln!(self.out),
        }
    }
}

impl<'a> Line<'a> {
    fn new(path: &[Vec<u8>], node: &'a Node) -> Self {
        let names: Vec<_> = path.iter().map(|name| String::from_utf8_lossy(name)).collect();
        Self {
            path: names.join("/"),
            r#type: kind(node).1,
            size: node.size,
            mode: node.mode.map(|mode| format!("{mode:04o}")),
            uid: node.uid,
            gid: node.gid,
            modified: node.modified.map(|time| time.to_string()),
            target: match &node.kind {
                Kind::Symlink(target) => Some(String::from_utf8_lossy(target)),
                _ => None,
            },
        }
    }
}

fn kind(node: &Node) -> (char, &'static str) {
    match node.kind {
        Kind::File => ('-', "file"),
        Kind::Directory => ('d', "directory"),
        Kind::Symlink(_) => ('l', "symlink"),
        Kind::BlockDevice => ('b', "block-device"),
        Kind::CharDevice => ('c', "char-device"),
        Kind::Fifo => ('p', "fifo"),
        Kind::Socket => ('s', "socket"),
    }
}

/// As `ls -l` shows it; without recorded permissions everybody may read.
fn mode(node: &Node) -> String {
    let mode = node.mode.unwrap_or(if node.is_dir() { 0o555 } else { 0o444 });
    let mut text = String::from(kind(node).0);
    for (bit, letter) in (0..9).rev().zip("rwxrwxrwx".chars()) {
        text.push(if mode >> bit & 1 == 1 { letter } else { '-' });
    }
    text
}
