//! The state of a drive, for a machine that moves to another host.

use serde_json::{Value, json};

use super::{Argument, Call, Kind, Returns, Verb, optional, required};
use crate::control::error::VerbError;

const DRIVE: Argument = optional("drive", Kind::Str);

pub(super) static VERBS: &[Verb] = &[
    Verb { name: "state-save", arguments: &[DRIVE], returns: Returns::Object, run: save },
    Verb { name: "state-load", arguments: &[DRIVE, required("state", Kind::Str)], returns: Returns::Object, run: load },
];

fn save(call: &mut Call<'_>) -> Result<Value, VerbError> {
    let attached = call.attached()?;
    let drive = &attached.drive;
    Ok(json!({ "drive": drive.identity().name, "state": drive.save(attached.lun) }))
}

fn load(call: &mut Call<'_>) -> Result<Value, VerbError> {
    let attached = call.attached()?;
    let (drive, name) = (&attached.drive, &attached.drive.identity().name);
    let refused = |refused| VerbError::generic(format!("Drive {name}: {refused}"));
    drive.load(attached.lun, call.required_str("state")).map_err(refused)?;
    Ok(json!({ "drive": name }))
}
