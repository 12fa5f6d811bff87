//! Opening an image for a verb: its options, and passwords from a file or the terminal.

use std::cell::RefCell;
use std::fs::{File, OpenOptions as FileOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

use super::{CliError, Exit};
use crate::image::{OpenOptions, Opened, Passwords, open_path};

/// The image and how to open it.
#[derive(Debug, clap::Args)]
pub struct Image {
    /// The image file
    #[arg(id = "image", value_name = "IMAGE")]
    pub path: PathBuf,
    #[command(flatten)]
    pub how: How,
}

/// How to open an image.
#[derive(Debug, Clone, clap::Args)]
pub struct How {
    /// Read the image's password from the first line of this file instead of asking at the terminal
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// Let the image name files outside its own folder
    #[arg(long)]
    pub allow_outside: bool,
    /// Decode what has no random access (such as an xz file of one block) into a temporary file first
    #[arg(long)]
    pub spool: bool,
}

impl Image {
    /// Opens it.
    ///
    /// # Errors
    /// When it cannot be opened; the error names the file.
    pub fn open(&self) -> Result<Opened, CliError> {
        let passwords = self.how.passwords()?;
        let spool = std::env::temp_dir();
        let options = OpenOptions { passwords: &passwords, ..self.how.options(&spool) };
        Ok(open_path(&self.path, &options)?)
    }
}

impl How {
    /// Options that ask for no password.
    pub fn options<'a>(&self, spool: &'a Path) -> OpenOptions<'a> {
        let spool = self.spool.then_some(spool);
        OpenOptions { allow_outside: self.allow_outside, spool, ..OpenOptions::default() }
    }

    /// Where passwords come from.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn passwords(&self) -> Result<Asked, CliError> {
        let file = self.password_file.as_deref().map(first_line).transpose()?;
        Ok(Asked { file, given: RefCell::default(), asking: Arc::default() })
    }
}

/// The first line of a file, at most 1,024 bytes, without its end.
fn first_line(path: &Path) -> Result<Vec<u8>, CliError> {
    let failed = |error: io::Error| CliError::new(Exit::Failure, format!("{}: {error}", path.display()));
    let mut line = Vec::new();
    let file = File::open(path).map_err(failed)?.take(1024);
    BufReader::new(file).read_until(b'\n', &mut line).map_err(failed)?;
    while line.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
        line.pop();
    }
    Ok(line)
}

/// Passwords from a file, or from whoever sits at the terminal.
#[derive(Debug, Clone)]
pub struct Asked {
    file: Option<Vec<u8>>,
    given: RefCell<Option<Vec<u8>>>,
    /// How many are asking, or wait until they may.
    asking: Arc<AtomicUsize>,
}

impl Asked {
    /// The last one that was given.
    pub fn last(&self) -> Option<Vec<u8>> {
        self.given.borrow().clone()
    }

    /// Whether somebody is being asked, by this or a clone of it.
    pub fn is_asking(&self) -> bool {
        self.asking.load(Ordering::Relaxed) > 0
    }
}

impl Passwords for Asked {
    fn password(&self, file: &str, attempt: u32) -> Option<Vec<u8>> {
        let password = match &self.file {
            Some(password) => (attempt == 0).then(|| password.clone()),
            None => {
                self.asking.fetch_add(1, Ordering::Relaxed);
                let given = ask(file).ok();
                self.asking.fetch_sub(1, Ordering::Relaxed);
                given
            }
        };
        self.given.borrow_mut().clone_from(&password);
        password
    }
}

/// Asks at the terminal, without showing what is typed.
fn ask(file: &str) -> io::Result<Vec<u8>> {
    // One after the other.
    static TERMINAL: Mutex<()> = Mutex::new(());
    let _turn = TERMINAL.lock().unwrap_or_else(PoisonError::into_inner);
    let mut terminal = FileOptions::new().read(true).write(true).open("/dev/tty")?;
    let shown: String = file.chars().filter(|c| !c.is_control()).collect();
    let before = tcgetattr(&terminal)?;
    let mut silent = before.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    // Before it asks: what is typed then is neither shown nor thrown away.
    tcsetattr(&terminal, OptionalActions::Flush, &silent)?;
    let mut line = Vec::new();
    let asked = write!(terminal, "password for {shown}: ");
    let read = asked.and_then(|()| BufReader::new((&terminal).take(1024)).read_until(b'\n', &mut line));
    let restored = tcsetattr(&terminal, OptionalActions::Flush, &before);
    writeln!(terminal)?;
    restored?;
    if read? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    while line.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
        line.pop();
    }
    Ok(line)
}

/// The absolute path of `path` as people are shown it.
///
/// # Errors
/// When the working folder is gone.
pub fn locator(path: &Path) -> io::Result<String> {
    std::path::absolute(path).map(|path| path.to_string_lossy().into_owned())
}
