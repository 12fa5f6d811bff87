//! QEMU's `add-fd`, `remove-fd`, `query-fdsets`.

use std::fs::File;
use std::sync::{Arc, PoisonError};

use serde_json::{Value, json};

use super::{Call, Kind, Returns, Verb, optional, required};
use crate::control::error::VerbError;

pub(super) static VERBS: &[Verb] = &[
    Verb {
        name: "add-fd",
        arguments: &[optional("fdset-id", Kind::Int), optional("opaque", Kind::Str)],
        returns: Returns::Object,
        run: add,
    },
    Verb {
        name: "remove-fd",
        arguments: &[required("fdset-id", Kind::Int), optional("fd", Kind::Int)],
        returns: Returns::Object,
        run: remove,
    },
    Verb { name: "query-fdsets", arguments: &[], returns: Returns::List, run: query },
];

fn add(call: &mut Call<'_>) -> Result<Value, VerbError> {
    let descriptor = call.descriptors.pop_front();
    let descriptor = descriptor.ok_or_else(|| VerbError::generic("No file descriptor supplied via SCM_RIGHTS"))?;
    let opaque = call.str("opaque").map(str::to_owned);
    // Named before the lock, so that one that is refused is closed after it.
    let file = Arc::new(File::from(descriptor));
    let mut sets = call.shared.sets.lock().unwrap_or_else(PoisonError::into_inner);
    let (set, number) = sets.add(call.int("fdset-id"), &file, opaque)?;
    Ok(json!({ "fdset-id": set, "fd": number }))
}

fn remove(call: &mut Call<'_>) -> Result<Value, VerbError> {
    let mut sets = call.shared.sets.lock().unwrap_or_else(PoisonError::into_inner);
    let removed = sets.remove(call.int("fdset-id").unwrap_or(-1), call.int("fd"))?;
    drop(sets);
    drop(removed);
    Ok(json!({}))
}

#[expect(clippy::unnecessary_wraps, reason = "the type of every verb")]
fn query(call: &mut Call<'_>) -> Result<Value, VerbError> {
    Ok(call.shared.sets.lock().unwrap_or_else(PoisonError::into_inner).to_json())
}
