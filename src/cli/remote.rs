//! What the verbs that talk to a daemon share.

use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser as _};

use super::{CliError, Exit};
use crate::control::{Client, ClientError};

/// Which daemon.
#[derive(Debug, clap::Args)]
pub struct Daemon {
    /// The control socket; by default that of the only spindled running here
    #[arg(long, value_name = "PATH", env = "SPINDLE_CONTROL", value_parser = OsStringValueParser::new().map(PathBuf::from))]
    control: Option<PathBuf>,
}

/// Which daemon, and which of its drives.
#[derive(Debug, clap::Args)]
pub struct Drive {
    #[command(flatten)]
    pub daemon: Daemon,
    /// The drive; by default the only one
    #[arg(long, value_name = "NAME")]
    drive: Option<String>,
}

/// How patient to be with a guest that has locked the tray.
#[derive(Debug, clap::Args)]
pub struct Patience {
    /// Take the medium although the guest holds it, once the guest was asked and the time is up
    #[arg(long)]
    force: bool,
    /// Seconds to wait for a guest that has locked the tray to release it
    #[arg(long, value_name = "S", default_value_t = 5.0, value_parser = seconds)]
    timeout: f64,
}

/// Seconds, as the verbs take them.
fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|seconds| (0.0..=3600.0).contains(seconds));
    seconds.ok_or_else(|| "seconds are 0 to 3600".to_owned())
}

impl Daemon {
    /// A connection to it.
    ///
    /// # Errors
    /// When there is none, or several to choose from.
    pub fn connect(&self) -> Result<Client, CliError> {
        // An empty variable of the environment is none.
        let control = self.control.as_deref().filter(|path| !path.as_os_str().is_empty());
        Ok(Client::connect(control)?)
    }
}

impl Drive {
    /// Adds what it says to the arguments of a verb.
    pub fn add_to(&self, arguments: &mut serde_json::Value) {
        if let Some(drive) = &self.drive {
            arguments["drive"] = drive.as_str().into();
        }
    }
}

impl Patience {
    /// Adds what it says to the arguments of a verb.
    pub fn add_to(&self, arguments: &mut serde_json::Value) {
        arguments["force"] = self.force.into();
        arguments["timeout"] = self.timeout.into();
    }
}

impl From<ClientError> for CliError {
    fn from(error: ClientError) -> Self {
        let exit = match &error {
            ClientError::Which(_) | ClientError::Io(..) => Exit::Failure,
            ClientError::Refused { reason, .. } => match reason.as_deref() {
                Some("locked") => Exit::Locked,
                Some("no-medium") => Exit::NoMedium,
                Some("not-recognised") => Exit::NotRecognised,
                _ => Exit::Failure,
            },
        };
        Self::new(exit, error.to_string())
    }
}
