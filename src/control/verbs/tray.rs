//! QEMU's tray commands, with QEMU's meaning: opening a locked tray without force asks the guest and does not wait for it.

use serde_json::{Value, json};

use super::{Argument, Call, Kind, Returns, Verb, optional, required};
use crate::control::error::{LOCKED, VerbError};
use crate::control::image::{self, Request};
use crate::drive::{Drive, EjectRefused, Tray};

/// Either names the drive.
const DEVICE: Argument = optional("device", Kind::Str);
const ID: Argument = optional("id", Kind::Str);
const FORCE: Argument = optional("force", Kind::Bool);

pub(super) static VERBS: &[Verb] = &[
    Verb { name: "eject", arguments: &[DEVICE, ID, FORCE], returns: Returns::Object, run: eject },
    Verb { name: "blockdev-open-tray", arguments: &[DEVICE, ID, FORCE], returns: Returns::Object, run: open_tray },
    Verb { name: "blockdev-close-tray", arguments: &[DEVICE, ID], returns: Returns::Object, run: close_tray },
    Verb {
        name: "blockdev-remove-medium",
        arguments: &[required("id", Kind::Str)],
        returns: Returns::Object,
        run: remove_medium,
    },
    Verb {
        name: "blockdev-insert-medium",
        arguments: &[required("id", Kind::Str), required("node-name", Kind::Str)],
        returns: Returns::Object,
        run: insert_medium,
    },
    Verb {
        name: "blockdev-change-medium",
        arguments: &[
            DEVICE,
            ID,
            required("filename", Kind::Str),
            optional("format", Kind::Str),
            FORCE,
            optional("read-only-mode", Kind::Str),
        ],
        returns: Returns::Object,
        run: change_medium,
    },
];

fn eject(call: &mut Call<'_>) -> Result<Value, VerbError> {
    let drive = call.device()?;
    let force = call.flag("force");
    let medium = drive.snapshot().medium;
    let ejected = medium.map_or_else(|| drive.open_tray(force), |medium| drive.eject_medium(&medium, force));
    ejected.map_err(|refused| refuse(drive, &refused))?;
    Ok(json!({}))
}

/// A tray that stays closed until the guest answers is no error here, unlike for `eject`: DEVICE_TRAY_MOVED tells when it opens.
fn open_tray(call: &mut Call<'_>) -> Result<Value, VerbError> {
    let drive = call.device()?;
    match drive.open_tray(call.flag("force")) {
        Err(EjectRefused::Locked(_)) => drive.request_eject(),
        Err(refused) => return Err(refuse(drive, &refused)),
        Ok(()) => {}
    }
    Ok(json!({}))
}

/// Asks the guest to let go, if it is the guest, and says in QEMU's words that it has not yet.
fn refuse(drive: &Drive, refused: &EjectRefused) -> VerbError {
    let name = &drive.identity().name;
    if !matches!(refused, EjectRefused::Locked(_)) {
        return VerbError::generic(format!("Device '{name}': {refused}"));
    }
    drive.request_eject();
    VerbError::generic(format!(
        "Device '{name}' is locked and force was not specified, wait for tray to open and try again"
    ))
    .because(LOCKED)
}

fn close_tray(call: &mut Call<'_>) -> Result<Value, VerbError> {
    call.device()?.close_tray();
    Ok(json!({}))
}

fn remove_medium(call: &mut Call<'_>) -> Result<Value, VerbError> {
    let drive = call.device()?;
    match drive.remove_medium() {
        None if drive.snapshot().tray == Tray::Closed => Err(tray_not_open(drive)),
        // QEMU takes the medium out of an empty open drive without complaint.
        _ => Ok(json!({})),
    }
}

fn tray_not_open(drive: &Drive) -> VerbError {
    VerbError::generic(format!("Tray of device '{}' is not open", drive.identity().name))
}

fn insert_medium(call: &mut Call<'_>) -> Result<Value, VerbError> {
    let drive = call.device()?;
    let node = call.required_str("node-name");
    let medium = call.shared.nodes().get(node).cloned();
    let medium = medium.ok_or_else(|| VerbError::generic(format!("Node '{node}' not found")))?;
    match drive.insert_medium(medium) {
        Ok(()) => Ok(json!({})),
        Err(_) if drive.snapshot().medium.is_some() => {
            let name = &drive.identity().name;
            Err(VerbError::generic(format!("There already is a medium in device '{name}'")))
        }
        Err(_) => Err(tray_not_open(drive)),
    }
}

fn change_medium(call: &mut Call<'_>) -> Result<Value, VerbError> {
    let drive = call.device()?;
    match call.str("read-only-mode") {
        None | Some("retain" | "read-only") => {}
        Some("read-write") => return Err(VerbError::generic("an optical disc image is read-only")),
        Some(other) => {
            return Err(VerbError::generic(format!("Parameter 'read-only-mode' does not accept value '{other}'")));
        }
    }
    let request = Request { file: call.required_str("filename"), format: call.str("format"), ..Request::default() };
    let medium = image::open(&call.shared.sets, &call.shared.policy, &request)?;
    drive.change_medium(medium, call.flag("force")).map_err(|refused| refuse(drive, &refused))?;
    Ok(json!({}))
}
