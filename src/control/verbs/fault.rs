//! The fault lab: faults that a drive has because somebody wants to see what a guest makes of them.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Call, Kind, Returns, Verb, optional, required};
use crate::control::error::{NO_MEDIUM, VerbError};
use crate::disc::Lba;
use crate::drive::{ALL_BLOCKS, Drive, Fault, FaultKind};

pub(super) static VERBS: &[Verb] = &[
    Verb {
        name: "fault-add",
        arguments: &[
            optional("drive", Kind::Str),
            required("kind", Kind::Str),
            optional("first", Kind::Int),
            optional("last", Kind::Int),
            optional("seconds", Kind::Number),
        ],
        returns: Returns::Object,
        run: add,
    },
    Verb {
        name: "fault-clear",
        arguments: &[optional("drive", Kind::Str), optional("fault", Kind::Int)],
        returns: Returns::Object,
        run: clear,
    },
    Verb { name: "fault-query", arguments: &[optional("drive", Kind::Str)], returns: Returns::List, run: query },
];

const READ_ERROR: &str = "read-error";
const DELAY: &str = "delay";
const MEDIUM_GONE: &str = "medium-gone";
const TRAY_STUCK: &str = "tray-stuck";

/// A medium that is gone without a block being named is gone at once, and no fault is left.
fn add(call: &mut Call<'_>) -> Result<Value, VerbError> {
    let drive = call.drive()?;
    let blocks = blocks(call)?;
    let kind = match call.required_str("kind") {
        READ_ERROR => FaultKind::ReadError,
        DELAY => FaultKind::Delay(seconds(call)?),
        MEDIUM_GONE => FaultKind::MediumGone,
        TRAY_STUCK => FaultKind::TrayStuck,
        other => {
            return Err(VerbError::generic(format!(
                "Parameter 'kind' expects {READ_ERROR}, {DELAY}, {MEDIUM_GONE} or {TRAY_STUCK}, not '{other}'"
            )));
        }
    };
    if (kind == FaultKind::TrayStuck && blocks.is_some())
        || (!matches!(kind, FaultKind::Delay(_)) && call.arguments.contains_key("seconds"))
    {
        return Err(VerbError::generic(format!("a fault {} has no such parameter", call.required_str("kind"))));
    }
    let name = &drive.identity().name;
    if kind == FaultKind::MediumGone && blocks.is_none() {
        if drive.snapshot().medium.is_none() {
            return Err(VerbError::generic(format!("There is no medium in drive {name}")).because(NO_MEDIUM));
        }
        drive.lose_medium();
        return Ok(json!({ "drive": name }));
    }
    let fault = Fault { kind, blocks: blocks.unwrap_or(ALL_BLOCKS) };
    let number = drive.add_fault(fault).map_err(|error| VerbError::generic(format!("Drive {name}: {error}")))?;
    Ok(json!({ "drive": name, "fault": number }))
}

fn seconds(call: &Call<'_>) -> Result<Duration, VerbError> {
    let seconds = call.arguments.get("seconds").and_then(Value::as_f64);
    match seconds {
        Some(seconds) if (0.0..=3600.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err(VerbError::generic("Parameter 'seconds' expects seconds from 0 to 3600")),
    }
}

/// `first` to `last`, one block without `last`; all of them without either.
fn blocks(call: &Call<'_>) -> Result<Option<(Lba, Lba)>, VerbError> {
    let lba = |name: &str| {
        let number = call.int(name).map(i32::try_from).transpose();
        number.map_err(|_| VerbError::generic(format!("Parameter '{name}' expects a block address")))
    };
    match (lba("first")?, lba("last")?) {
        (None, None) => Ok(None),
        (Some(first), last) if last.is_none_or(|last| last >= first) => {
            Ok(Some((Lba(first), Lba(last.unwrap_or(first)))))
        }
        _ => Err(VerbError::generic("Parameter 'last' expects an address from 'first' on")),
    }
}

fn clear(call: &mut Call<'_>) -> Result<Value, VerbError> {
    let drive = call.drive()?;
    let number = call.int("fault").map(u32::try_from).transpose().unwrap_or(Some(0));
    let cleared = drive.clear_faults(number);
    match number {
        Some(_) if cleared == 0 => {
            let name = &drive.identity().name;
            Err(VerbError::generic(format!("Drive {name} has no fault {}", call.int("fault").unwrap_or(0))))
        }
        _ => Ok(json!({ "drive": drive.identity().name, "cleared": cleared })),
    }
}

/// The faults of the drive that is named, or of all.
fn query(call: &mut Call<'_>) -> Result<Value, VerbError> {
    let drives: Vec<&Arc<Drive>> = match call.str("drive") {
        Some(_) => vec![call.drive()?],
        None => call.shared.drives.iter().map(|attached| &attached.drive).collect(),
    };
    let faults = |drive: &&Arc<Drive>| {
        let name = drive.identity().name.clone();
        drive.faults().into_iter().map(move |(number, fault)| describe(&name, number, fault))
    };
    Ok(drives.iter().flat_map(faults).collect())
}

fn describe(drive: &str, number: u32, fault: Fault) -> Value {
    let kind = match fault.kind {
        FaultKind::ReadError => READ_ERROR,
        FaultKind::Delay(_) => DELAY,
        FaultKind::MediumGone => MEDIUM_GONE,
        FaultKind::TrayStuck => TRAY_STUCK,
    };
    let mut value = json!({ "drive": drive, "fault": number, "kind": kind });
    if fault.blocks != ALL_BLOCKS {
        value["first"] = fault.blocks.0.0.into();
        value["last"] = fault.blocks.1.0.into();
    }
    if let FaultKind::Delay(delay) = fault.kind {
        value["seconds"] = delay.as_secs_f64().into();
    }
    value
}
