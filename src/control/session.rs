//! One client: its place among those that there may be, a thread that reads and carries out what it sends, and one that writes.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::mem;
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use log::debug;
use rustix::fs::{FileType, fstat};
use rustix::net::sockopt;
use rustix::process::{Uid, geteuid};
use serde_json::{Map, Value, json};

use super::error::VerbError;
use super::fdset::FdSets;
use super::message::{Frame, Framer, line};
use super::outlet::Outlet;
use super::server::{Connected, Shared};
use super::verbs::{Call, find, version};
use crate::sys::descriptors::receive;

/// Most clients at a time; one more is told so and sent away.
const MOST_CLIENTS: usize = 32;
/// Descriptors that a client may send before a verb takes them; more are closed.
const MOST_DESCRIPTORS: usize = 16;

/// How long one line may wait for a client that does not read. Also what such a client can delay the daemon's end.
const WRITE_TIMEOUT: Duration = Duration::from_secs(2);

/// Greets a client and starts its two threads.
///
/// # Errors
/// When it may not be served, which it is told, or there is no descriptor or thread left.
pub fn start(shared: &Arc<Shared>, stream: UnixStream, number: u64) -> io::Result<[JoinHandle<()>; 2]> {
    if !may_command(sockopt::socket_peercred(&stream)?.uid) {
        return refuse(stream, "This socket is for the user who runs spindled, and for root");
    }
    if shared.clients().len() >= MOST_CLIENTS {
        return refuse(stream, &format!("There are {MOST_CLIENTS} clients already"));
    }
    stream.set_write_timeout(Some(WRITE_TIMEOUT))?;
    let outlet = Arc::new(Outlet::default());
    let greeting = json!({ "QMP": { "version": version(), "capabilities": [] } });
    // It is new and empty.
    outlet.offer(line(&greeting));
    let (to, from) = (stream.try_clone()?, stream.try_clone()?);
    let place = Arc::new(Place { shared: Arc::clone(shared), number });
    let reading = Reading { place: Arc::clone(&place), outlet: Arc::clone(&outlet) };
    shared.clients().insert(number, Connected { outlet: Arc::clone(&outlet), stream, events: false });
    let writer = thread::Builder::new().name("control-out".to_owned()).spawn(move || {
        write(to, &outlet);
        drop(place);
    })?;
    let reader = thread::Builder::new().name("control-in".to_owned()).spawn(move || {
        let Reading { place, outlet } = &reading;
        let (shared, descriptors) = (&place.shared, VecDeque::new());
        let mut client = Client { shared, number, outlet, negotiated: false, descriptors, stream: &from };
        if let Err(error) = client.read() {
            debug!("control client {number}: {error}");
        }
    })?;
    Ok([reader, writer])
}

/// Whether a process of user `peer` may use the socket. Its mode says the same, but a mode is changed by mistake.
fn may_command(peer: Uid) -> bool {
    peer.is_root() || peer == geteuid()
}

/// No image is a socket; and one that leads to the client itself would keep the connection from ever ending.
fn is_socket(descriptor: &OwnedFd) -> bool {
    fstat(descriptor).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Socket)
}

/// Tells a client why it is not served, if it listens.
fn refuse<T>(mut stream: UnixStream, why: &str) -> io::Result<T> {
    stream.set_nonblocking(true)?;
    stream.write_all(line(&json!({ "error": VerbError::generic(why).to_json() })).as_bytes())?;
    Err(io::Error::other(why))
}

/// A client's place among those that there may be, free again when this is gone: when neither of its threads runs any more.
struct Place {
    shared: Arc<Shared>,
    number: u64,
}

impl Drop for Place {
    /// Who leaves last takes all sets along, as in QEMU: nobody is left who knows their numbers.
    fn drop(&mut self) {
        let mut clients = self.shared.clients();
        let gone = clients.remove(&self.number);
        let mut sets = self.shared.sets.lock().unwrap_or_else(PoisonError::into_inner);
        let left = if clients.is_empty() { mem::take(&mut *sets) } else { FdSets::default() };
        drop(sets);
        drop(clients);
        // To close descriptors can wait for storage, also those that the connection was sent and nobody took.
        drop((gone, left));
    }
}

/// A client whose reading thread runs, or is about to; nothing more is written to it when this is gone, however that came.
struct Reading {
    place: Arc<Place>,
    outlet: Arc<Outlet>,
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.outlet.close();
    }
}

/// Writes lines until the client or the server is done.
fn write(mut to: UnixStream, outlet: &Outlet) {
    while let Some(line) = outlet.take() {
        if to.write_all(line.as_bytes()).is_err() {
            break;
        }
    }
    outlet.close();
    // Also ends the reading thread, if the client still sends.
    let _ = to.shutdown(Shutdown::Both);
}

/// The reading side of one client.
struct Client<'a> {
    shared: &'a Arc<Shared>,
    number: u64,
    outlet: &'a Outlet,
    negotiated: bool,
    descriptors: VecDeque<OwnedFd>,
    stream: &'a UnixStream,
}

impl Client<'_> {
    fn read(&mut self) -> io::Result<()> {
        let mut framer = Framer::default();
        let mut buf = vec![0; 4096];
        loop {
            let (len, descriptors) = receive(self.stream, &mut buf)?;
            if len == 0 {
                return Ok(());
            }
            // Those before them that no verb took were for one that failed: the next must not get them (QEMU drops them as well).
            if !descriptors.is_empty() && !framer.is_within_a_message() {
                self.descriptors.clear();
            }
            let room = MOST_DESCRIPTORS.saturating_sub(self.descriptors.len());
            self.descriptors.extend(descriptors.into_iter().filter(|passed| !is_socket(passed)).take(room));
            let mut gone = false;
            framer.push(&buf[..len], |frame| {
                let before = self.negotiated;
                let answer = match frame {
                    Frame::Message(message) => self.answer(&message),
                    Frame::Garbage(why) => json!({ "error": VerbError::generic(why).to_json() }),
                };
                gone |= match self.negotiated == before {
                    // Waits while the client does not read: that holds up only this client.
                    true => !self.outlet.put(line(&answer)),
                    false => !self.send_with_events(&answer),
                };
            });
            if gone {
                return Ok(());
            }
        }
    }

    /// Carries out one message; returns the whole answer.
    fn answer(&mut self, message: &[u8]) -> Value {
        let (id, result) = match serde_json::from_slice::<Value>(message) {
            Ok(Value::Object(mut request)) => (request.remove("id"), self.execute(request)),
            Ok(_) => (None, Err(VerbError::generic("QMP input must be a JSON object"))),
            Err(error) => (None, Err(VerbError::generic(format!("JSON parse error: {error}")))),
        };
        let mut answer = match result {
            Ok(value) => json!({ "return": value }),
            Err(error) => json!({ "error": error.to_json() }),
        };
        if let Some(id) = id {
            answer["id"] = id;
        }
        answer
    }

    fn execute(&mut self, mut request: Map<String, Value>) -> Result<Value, VerbError> {
        let name = match request.remove("execute") {
            Some(Value::String(name)) => name,
            Some(_) => return Err(VerbError::generic("QMP input member 'execute' must be a string")),
            None => return Err(VerbError::generic("QMP input lacks member 'execute'")),
        };
        let arguments = match request.remove("arguments") {
            None => Map::new(),
            Some(Value::Object(arguments)) => arguments,
            Some(_) => return Err(VerbError::generic("QMP input member 'arguments' must be an object")),
        };
        if let Some(member) = request.keys().next() {
            return Err(VerbError::generic(format!("QMP input member '{member}' is unexpected")));
        }
        match (self.negotiated, name.as_str()) {
            (false, "qmp_capabilities") => self.negotiate(&arguments),
            (false, _) => Err(VerbError::not_negotiated()),
            (true, "qmp_capabilities") => Err(VerbError::negotiated_already()),
            (true, name) => {
                let verb = find(name).ok_or_else(|| VerbError::not_found(name))?;
                verb.check(&arguments)?;
                debug!("control client {}: {name}", self.number);
                (verb.run)(&mut Call {
                    shared: self.shared,
                    arguments,
                    descriptors: &mut self.descriptors,
                    client: self.stream,
                })
            }
        }
    }

    /// Sends the answer after which events may come: none before it, none lost after it. False when the client does not
    /// read what it was sent.
    fn send_with_events(&self, answer: &Value) -> bool {
        let mut clients = self.shared.clients();
        let Some(client) = clients.get_mut(&self.number) else { return false };
        client.events = true;
        client.outlet.offer(line(answer))
    }

    /// There is no capability to enable.
    fn negotiate(&mut self, arguments: &Map<String, Value>) -> Result<Value, VerbError> {
        match arguments.get("enable") {
            None => {}
            Some(Value::Array(wanted)) if wanted.is_empty() => {}
            Some(_) => return Err(VerbError::generic("Parameter 'enable' names a capability that is not offered")),
        }
        self.negotiated = true;
        Ok(json!({}))
    }
}
