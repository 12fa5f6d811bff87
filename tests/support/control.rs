//! A control server in this process, and a client that speaks QMP by hand.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use spindle::control::{Attached, Policy, Server};
use spindle::drive::{Drive, Identity, Tray};
use spindle::source::BlockCache;
use tempfile::TempDir;

/// Far more than any answer takes: reached only when it never comes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server on a folder of its own. It ends with this.
pub struct Control {
    server: Option<Server>,
    quits: Arc<AtomicU32>,
    pub drives: Vec<Arc<Drive>>,
    pub folder: TempDir,
}

impl Control {
    /// With empty drives of these names.
    pub fn start(names: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("control")).unwrap();
        let drives: Vec<_> =
            names.iter().map(|name| Arc::new(Drive::new(Identity::named(name), Tray::Closed))).collect();
        let quits = Arc::new(AtomicU32::new(0));
        let quit = {
            let quits = Arc::clone(&quits);
            move || {
                quits.fetch_add(1, Ordering::SeqCst);
            }
        };
        let cache = BlockCache::new(1 << 20);
        let policy =
            Policy { cache, allow_outside: false, spool: std::env::temp_dir(), sandboxed: false, keep_open: false };
        let server = Some(Server::start(listener, Attached::to_one_target(&drives), policy, Box::new(quit)).unwrap());
        Self { server, quits, drives, folder }
    }

    /// The first drive.
    pub fn drive(&self) -> &Drive {
        &self.drives[0]
    }

    /// How often a client asked the daemon to end.
    pub fn quits(&self) -> u32 {
        self.quits.load(Ordering::SeqCst)
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("control")
    }

    /// A client that has negotiated.
    pub fn client(&self) -> Client {
        Client::negotiated(&self.path())
    }

    /// Writes an image of `blocks` blocks that all hold `byte`; returns its path.
    pub fn image(&self, name: &str, byte: u8, blocks: usize) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, vec![byte; blocks * 2048]).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Ends the server; returns when all its threads are gone.
    pub fn stop(&mut self) {
        self.server = None;
    }
}

/// One connection.
pub struct Client {
    stream: UnixStream,
    incoming: BufReader<UnixStream>,
    events: VecDeque<Value>,
}

impl Client {
    /// Connects and reads nothing.
    pub fn connect(path: &Path) -> Self {
        let stream = UnixStream::connect(path).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let incoming = BufReader::new(stream.try_clone().unwrap());
        Self { stream, incoming, events: VecDeque::new() }
    }

    /// Connects, reads the greeting and negotiates.
    pub fn negotiated(path: &Path) -> Self {
        let mut client = Self::connect(path);
        assert!(client.line().unwrap().get("QMP").is_some());
        client.send(br#"{"execute":"qmp_capabilities"}"#);
        assert_eq!(client.line().unwrap(), json!({ "return": {} }));
        client
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// The same, for a peer that may have closed the connection.
    pub fn try_send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// A second handle to the same connection, to send from another thread.
    pub fn half(&self) -> Self {
        let stream = self.stream.try_clone().unwrap();
        let incoming = BufReader::new(stream.try_clone().unwrap());
        Self { stream, incoming, events: VecDeque::new() }
    }

    /// Sends the connection itself.
    pub fn send_itself(&mut self) {
        let itself = self.stream.try_clone().unwrap();
        self.send_with(b" ", &[itself.as_fd()]);
    }

    /// Sends with descriptors.
    pub fn send_with(&mut self, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) {
        spindle::sys::descriptors::send(&self.stream, bytes, descriptors).unwrap();
    }

    /// The same, for a peer that may have closed the connection.
    pub fn try_send_with(&mut self, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> std::io::Result<()> {
        spindle::sys::descriptors::send(&self.stream, bytes, descriptors)
    }

    /// No more will be sent.
    pub fn half_close(&mut self) {
        self.stream.shutdown(std::net::Shutdown::Write).unwrap();
    }

    /// Waits until the next line has begun to come.
    pub fn begins(&mut self) {
        assert!(!self.incoming.fill_buf().unwrap().is_empty(), "the connection ended");
    }

    /// The next line, whatever it is; `None` when the server closed the connection, if need be amid a line.
    pub fn line(&mut self) -> Option<Value> {
        let mut line = String::new();
        match self.incoming.read_line(&mut line) {
            Ok(0) => None,
            Ok(_) if !line.ends_with("\r\n") => None,
            Ok(_) => Some(serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line:?}: {error}"))),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => None,
            Err(error) => panic!("no line: {error}"),
        }
    }

    /// The next line that is no event; events before it are kept for [`event`](Self::event).
    pub fn answer(&mut self) -> Value {
        loop {
            let line = self.line().expect("the connection ended");
            if line.get("event").is_none() {
                return line;
            }
            self.events.push_back(line);
        }
    }

    /// Sends a command; returns the whole answer.
    pub fn ask(&mut self, verb: &str, arguments: Value) -> Value {
        let mut request = json!({ "execute": verb });
        request["arguments"] = arguments;
        self.send(request.to_string().as_bytes());
        self.answer()
    }

    /// The same, which must succeed; returns what it returned.
    #[track_caller]
    pub fn ok(&mut self, verb: &str, arguments: Value) -> Value {
        let mut answer = self.ask(verb, arguments);
        assert!(answer.get("return").is_some(), "{verb}: {answer}");
        answer["return"].take()
    }

    /// The same, which must fail; returns class and description.
    #[track_caller]
    pub fn refused(&mut self, verb: &str, arguments: Value) -> (String, String) {
        let answer = self.ask(verb, arguments);
        let text = |name: &str| answer["error"][name].as_str().unwrap_or_else(|| panic!("{verb}: {answer}")).to_owned();
        (text("class"), text("desc"))
    }

    /// The next event, with its data.
    pub fn event(&mut self) -> (String, Value) {
        let mut event = match self.events.pop_front() {
            Some(event) => event,
            None => self.line().expect("the connection ended"),
        };
        let stamp = &event["timestamp"];
        assert!(stamp["seconds"].as_i64().unwrap() > 1_600_000_000, "{event}");
        assert!((0..1_000_000).contains(&stamp["microseconds"].as_i64().unwrap()), "{event}");
        (event["event"].as_str().unwrap_or_else(|| panic!("no event: {event}")).to_owned(), event["data"].take())
    }
}
