//! How a verb fails: a message for a person, an exit code for a script.

use std::io;
use std::process::ExitCode;

use super::output::message;
use crate::image::{ImageError, ImageErrorKind};

/// Exit codes. 0 is success and 2 a usage error, which the argument parser reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// It did not work.
    Failure = 1,
    /// The arguments contradict each other.
    Usage = 2,
    /// The guest holds the lock.
    Locked = 3,
    /// There is no medium in the drive.
    NoMedium = 4,
    /// The file is no image that Spindle knows.
    NotRecognised = 5,
    /// A checksum is wrong, or a sector damaged.
    VerificationFailed = 6,
}

/// Why a verb failed.
#[derive(Debug)]
pub struct CliError {
    exit: Exit,
    message: String,
}

impl CliError {
    /// `message` is one line, lower case, without a full stop.
    #[must_use]
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }
}

impl From<ImageError> for CliError {
    fn from(error: ImageError) -> Self {
        let exit = match error.kind() {
            ImageErrorKind::NotRecognised
            | ImageErrorKind::Invalid
            | ImageErrorKind::Limit
            | ImageErrorKind::Unsupported => Exit::NotRecognised,
            ImageErrorKind::Io
            | ImageErrorKind::Missing
            | ImageErrorKind::Outside
            | ImageErrorKind::NeedsSpool
            | ImageErrorKind::NeedsPassword
            | ImageErrorKind::WrongPassword => Exit::Failure,
        };
        Self::new(exit, error.to_string())
    }
}

impl From<io::Error> for CliError {
    fn from(error: io::Error) -> Self {
        Self::new(Exit::Failure, error.to_string())
    }
}

/// Prints the error, if any, and gives the exit code.
#[must_use]
pub fn report(program: &str, result: Result<(), CliError>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{program}: {}", message(&error.message));
            ExitCode::from(error.exit as u8)
        }
    }
}
