//! Our own verbs for media and tray: opening a medium under a name, and putting in and out with patience.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Call, Kind, Returns, Verb, optional, required};
use crate::control::error::{LOCKED, NO_MEDIUM, VerbError};
use crate::control::image::{self, Request};
use crate::drive::{Drive, EjectRefused, Medium, Tray};

pub(super) static VERBS: &[Verb] = &[
    Verb {
        name: "media-insert",
        arguments: &[
            optional("drive", Kind::Str),
            required("file", Kind::Str),
            optional("locator", Kind::Str),
            optional("password", Kind::Str),
            optional("spool", Kind::Bool),
            optional("force", Kind::Bool),
            optional("timeout", Kind::Number),
        ],
        returns: Returns::Object,
        run: insert,
    },
    Verb {
        name: "media-eject",
        arguments: &[optional("drive", Kind::Str), optional("force", Kind::Bool), optional("timeout", Kind::Number)],
        returns: Returns::Object,
        run: eject,
    },
    Verb {
        name: "tray-open",
        arguments: &[optional("drive", Kind::Str), optional("force", Kind::Bool), optional("timeout", Kind::Number)],
        returns: Returns::Object,
        run: open_tray,
    },
    Verb { name: "tray-close", arguments: &[optional("drive", Kind::Str)], returns: Returns::Object, run: close_tray },
    Verb {
        name: "media-open",
        arguments: &[
            required("node-name", Kind::Str),
            required("file", Kind::Str),
            optional("locator", Kind::Str),
            optional("password", Kind::Str),
            optional("spool", Kind::Bool),
        ],
        returns: Returns::Object,
        run: open,
    },
    Verb { name: "media-close", arguments: &[required("node-name", Kind::Str)], returns: Returns::Object, run: close },
];

/// How long the guest has to let go of the medium when nobody says.
const PATIENCE: f64 = 5.0;
/// Most media that are open under a name.
const MOST_NODES: usize = 64;

/// Opens the image first: one that cannot be opened changes nothing.
fn insert(call: &mut Call<'_>) -> Result<Value, VerbError> {
    let drive = call.drive()?;
    let timeout = timeout(call)?;
    let medium = open_image(call)?;
    let locator = medium.locator.clone();
    with_patience(call, drive, call.flag("force"), timeout, |force| drive.change_medium(medium.clone(), force))?;
    Ok(json!({ "drive": drive.identity().name, "locator": locator }))
}

/// The image that `file` and what belongs to it name.
fn open_image(call: &Call<'_>) -> Result<Arc<Medium>, VerbError> {
    let request = Request {
        file: call.required_str("file"),
        locator: call.str("locator"),
        format: None,
        password: call.str("password"),
        spool: call.flag("spool"),
    };
    image::open(&call.shared.sets, &call.shared.policy, &request)
}

/// Opens the tray and takes the medium out.
fn eject(call: &mut Call<'_>) -> Result<Value, VerbError> {
    let drive = call.drive()?;
    let timeout = timeout(call)?;
    let before = drive.snapshot();
    let Some(medium) = before.medium else {
        let tray = if before.tray == Tray::Open { "open" } else { "closed" };
        let description = format!("There is no medium in drive {} (tray {tray})", drive.identity().name);
        return Err(VerbError::generic(description).because(NO_MEDIUM));
    };
    with_patience(call, drive, call.flag("force"), timeout, |force| drive.eject_medium(&medium, force))?;
    Ok(json!({ "drive": drive.identity().name, "locator": medium.locator }))
}

/// Opens the tray; what is in it stays in it.
fn open_tray(call: &mut Call<'_>) -> Result<Value, VerbError> {
    let drive = call.drive()?;
    with_patience(call, drive, call.flag("force"), timeout(call)?, |force| drive.open_tray(force))?;
    Ok(json!({ "drive": drive.identity().name }))
}

fn close_tray(call: &mut Call<'_>) -> Result<Value, VerbError> {
    let drive = call.drive()?;
    drive.close_tray();
    Ok(json!({ "drive": drive.identity().name }))
}

/// Tries `change`; while a guest holds the lock, asks it to let go, waits, and tries again, at the end by force if that is wanted. Nothing
/// is changed for a client that has left meanwhile: who interrupts a command does not want its effect an hour later.
fn with_patience(
    call: &Call<'_>,
    drive: &Drive,
    force: bool,
    timeout: Duration,
    change: impl Fn(bool) -> Result<(), EjectRefused>,
) -> Result<(), VerbError> {
    let name = &drive.identity().name;
    let deadline = Instant::now() + timeout;
    let abandoned = || VerbError::generic("nobody waits for the answer any more");
    let plain = |refused: EjectRefused| VerbError::generic(format!("Drive {name}: {refused}"));
    // To open an image can take long.
    if call.is_abandoned() {
        return Err(abandoned());
    }
    loop {
        match change(false) {
            Ok(()) => return Ok(()),
            Err(EjectRefused::Locked(_)) => {}
            Err(refused) => return Err(plain(refused)),
        }
        drive.request_eject();
        let left = || deadline.saturating_duration_since(Instant::now());
        let answered = drive.wait_answered(left(), || call.is_abandoned());
        if call.is_abandoned() {
            return Err(abandoned());
        }
        // Who let go may hold it again by now, and is asked again.
        if !answered || left().is_zero() {
            break;
        }
    }
    change(force).map_err(|refused| {
        if !matches!(refused, EjectRefused::Locked(_)) {
            return plain(refused);
        }
        let waited = timeout.as_secs_f64();
        VerbError::generic(format!(
            "Drive {name}: {refused}; it was asked to release the medium and did not within {waited} s (force takes it)"
        ))
        .because(LOCKED)
    })
}

fn timeout(call: &Call<'_>) -> Result<Duration, VerbError> {
    let seconds = call.arguments.get("timeout").and_then(Value::as_f64).unwrap_or(PATIENCE);
    if !(0.0..=3600.0).contains(&seconds) {
        return Err(VerbError::generic("Parameter 'timeout' expects seconds from 0 to 3600"));
    }
    Ok(Duration::from_secs_f64(seconds))
}

/// Opens an image under a name, for `blockdev-insert-medium`.
fn open(call: &mut Call<'_>) -> Result<Value, VerbError> {
    let name = call.required_str("node-name");
    if name.is_empty() || name.len() > 64 {
        return Err(VerbError::generic("Parameter 'node-name' expects 1 to 64 characters"));
    }
    let medium = open_image(call)?;
    let mut nodes = call.shared.nodes();
    if nodes.contains_key(name) {
        return Err(VerbError::generic(format!("Duplicate nodes with node-name='{name}'")));
    }
    if nodes.len() >= MOST_NODES {
        return Err(VerbError::generic(format!("{MOST_NODES} media are open already; close some")));
    }
    nodes.insert(name.to_owned(), medium);
    Ok(json!({ "node-name": name }))
}

/// Forgets a name; a drive that holds the medium keeps it.
fn close(call: &mut Call<'_>) -> Result<Value, VerbError> {
    let name = call.required_str("node-name");
    // Not in the match, which would hold the names while the files are closed.
    let closed = call.shared.nodes().remove(name);
    match closed {
        Some(_) => Ok(json!({})),
        None => Err(VerbError::generic(format!("Node '{name}' not found"))),
    }
}
