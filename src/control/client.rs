//! The other end of the control socket: what `spindle` talks with.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader};
use std::os::fd::BorrowedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use thiserror::Error;

use super::path::running;
use crate::sys::descriptors::send;

/// Why a verb could not be carried out.
#[derive(Debug, Error)]
pub enum ClientError {
    /// No daemon to talk to, or more than one to choose from.
    #[error("{0}")]
    Which(String),
    /// The connection failed.
    #[error("{0}: {1}")]
    Io(PathBuf, io::Error),
    /// The daemon refused.
    #[error("{description}")]
    Refused {
        /// What it said.
        description: String,
        /// Its machine-readable reason, where there is one.
        reason: Option<String>,
    },
}

/// How long a daemon may take to say that it is one.
const GREETING: Duration = Duration::from_secs(10);

/// A negotiated connection.
#[derive(Debug)]
pub struct Client {
    path: PathBuf,
    stream: UnixStream,
    incoming: BufReader<UnixStream>,
    events: VecDeque<Value>,
}

impl Client {
    /// Connects to the daemon at `path`; without one, to the only daemon in the runtime folder.
    ///
    /// # Errors
    /// When there is none, or not exactly one.
    pub fn connect(path: Option<&Path>) -> Result<Self, ClientError> {
        let path = match path {
            Some(path) => path.to_owned(),
            None => only_running()?,
        };
        Self::open(&path).map_err(|error| ClientError::Io(path, error))
    }

    fn open(path: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect(path)?;
        let incoming = BufReader::new(stream.try_clone()?);
        let mut client = Self { path: path.to_owned(), stream, incoming, events: VecDeque::new() };
        // A vhost-user socket, for example, says nothing.
        client.stream.set_read_timeout(Some(GREETING))?;
        let greeting = client.receive().map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => {
                io::Error::new(io::ErrorKind::TimedOut, "does not answer as a control socket does")
            }
            _ => error,
        })?;
        client.stream.set_read_timeout(None)?;
        if let Some(error) = greeting.get("error") {
            return Err(io::Error::other(error["desc"].as_str().unwrap_or("refused").to_owned()));
        }
        if greeting.get("QMP").is_none() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "does not speak QMP"));
        }
        client.call("qmp_capabilities", &json!({}), None)?;
        Ok(client)
    }

    /// Carries out a verb and returns what it returns; `descriptor` goes along.
    ///
    /// # Errors
    /// When the daemon refuses or the connection ends.
    pub fn execute(
        &mut self,
        verb: &str,
        arguments: &Value,
        descriptor: Option<BorrowedFd<'_>>,
    ) -> Result<Value, ClientError> {
        let mut answer =
            self.call(verb, arguments, descriptor).map_err(|error| ClientError::Io(self.path.clone(), error))?;
        match answer.get("error") {
            Some(error) => Err(ClientError::Refused {
                description: error["desc"].as_str().unwrap_or_default().to_owned(),
                reason: error["reason"].as_str().map(str::to_owned),
            }),
            None => Ok(answer["return"].take()),
        }
    }

    /// The next event, waiting for it if need be; `None` when the daemon ends the connection.
    ///
    /// # Errors
    /// When the connection fails.
    pub fn next_event(&mut self) -> Result<Option<Value>, ClientError> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(Some(event));
            }
            match self.receive() {
                Ok(message) if message.get("event").is_some() => self.events.push_back(message),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
                Err(error) => return Err(ClientError::Io(self.path.clone(), error)),
            }
        }
    }

    fn call(&mut self, verb: &str, arguments: &Value, descriptor: Option<BorrowedFd<'_>>) -> io::Result<Value> {
        let request = format!("{}\n", json!({ "execute": verb, "arguments": arguments }));
        send(&self.stream, request.as_bytes(), descriptor.as_slice())?;
        loop {
            let message = self.receive()?;
            if message.get("event").is_none() {
                return Ok(message);
            }
            self.events.push_back(message);
        }
    }

    fn receive(&mut self) -> io::Result<Value> {
        let mut line = String::new();
        if self.incoming.read_line(&mut line)? == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the daemon ended the connection"));
        }
        serde_json::from_str(&line).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }
}

fn only_running() -> Result<PathBuf, ClientError> {
    match &running()[..] {
        [only] => Ok(only.clone()),
        [] => Err(ClientError::Which(
            "no spindled is running here; give --control PATH or set SPINDLE_CONTROL".to_owned(),
        )),
        several => {
            let list: Vec<_> = several.iter().map(|path| format!("\n  {}", path.display())).collect();
            Err(ClientError::Which(format!("which spindled? give --control with one of{}", list.concat())))
        }
    }
}
