//! What happens to drives, as QMP events.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::server::Shared;
use super::verbs::media_json;
use crate::drive::{Drive, DriveEvent, Listener};

/// QEMU's event, with its meaning.
const TRAY_MOVED: &str = "DEVICE_TRAY_MOVED";
const MEDIUM_CHANGED: &str = "SPINDLE_MEDIUM_CHANGED";
const EJECT_REQUESTED: &str = "SPINDLE_EJECT_REQUESTED";
const LOCK_CHANGED: &str = "SPINDLE_LOCK_CHANGED";
const STATE_LOADED: &str = "SPINDLE_STATE_LOADED";
const READ_ERROR: &str = "SPINDLE_READ_ERROR";

/// All names.
pub static EVENTS: &[&str] = &[TRAY_MOVED, MEDIUM_CHANGED, EJECT_REQUESTED, LOCK_CHANGED, STATE_LOADED, READ_ERROR];

/// A guest that reads a bad disc over and over makes one event a second, not thousands.
const READ_ERROR_INTERVAL: Duration = Duration::from_secs(1);

/// Sends the events of all drives to all clients.
pub struct Announcer {
    /// Weak: drives outlive a server that was stopped.
    shared: Weak<Shared>,
    read_errors: Mutex<HashMap<String, ReadErrors>>,
}

struct ReadErrors {
    last: Instant,
    suppressed: u64,
}

impl Announcer {
    /// An announcer to the clients of `shared`.
    pub fn new(shared: &Arc<Shared>) -> Self {
        Self { shared: Arc::downgrade(shared), read_errors: Mutex::default() }
    }

    /// Errors left out since the last that was told, or `None` to leave this one out too.
    fn count_read_error(&self, drive: &str) -> Option<u64> {
        let mut all = self.read_errors.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        match all.get_mut(drive) {
            Some(errors) if now.duration_since(errors.last) < READ_ERROR_INTERVAL => {
                errors.suppressed += 1;
                None
            }
            Some(errors) => {
                errors.last = now;
                Some(std::mem::take(&mut errors.suppressed))
            }
            None => {
                all.insert(drive.to_owned(), ReadErrors { last: now, suppressed: 0 });
                Some(0)
            }
        }
    }
}

impl Listener for Announcer {
    fn drive_event(&self, drive: &Drive, event: &DriveEvent) {
        let Some(shared) = self.shared.upgrade() else { return };
        let name = &drive.identity().name;
        let (event, data) = match event {
            DriveEvent::TrayMoved { open } => (TRAY_MOVED, json!({ "device": name, "id": name, "tray-open": open })),
            DriveEvent::MediumChanged { medium } => {
                let mut data = json!({ "drive": name });
                if let Some(medium) = medium {
                    data["medium"] = media_json(medium);
                }
                (MEDIUM_CHANGED, data)
            }
            DriveEvent::EjectRequested => (EJECT_REQUESTED, json!({ "drive": name })),
            DriveEvent::LockChanged { locked } => (LOCK_CHANGED, json!({ "drive": name, "locked": locked })),
            DriveEvent::StateLoaded => (STATE_LOADED, json!({ "drive": name })),
            DriveEvent::ReadError { block, reason } => {
                let Some(suppressed) = self.count_read_error(name) else { return };
                (READ_ERROR, json!({ "drive": name, "block": block, "reason": reason, "suppressed": suppressed }))
            }
        };
        shared.broadcast(&json!({ "event": event, "data": data, "timestamp": timestamp() }));
    }
}

/// QMP's timestamp: seconds and microseconds since 1970, or -1 for a clock before that.
fn timestamp() -> Value {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(now) => json!({ "seconds": now.as_secs(), "microseconds": now.subsec_micros() }),
        Err(_) => json!({ "seconds": -1, "microseconds": -1 }),
    }
}
