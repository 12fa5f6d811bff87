//! Verbs about the daemon: QEMU's `query-version`, `query-commands`, `query-qmp-schema`, `quit`.

use serde_json::{Value, json};

use super::{Call, Returns, Verb, all};
use crate::control::error::VerbError;
use crate::control::schema;

pub(super) static VERBS: &[Verb] = &[
    Verb { name: "query-version", arguments: &[], returns: Returns::Object, run: |_| Ok(version()) },
    Verb { name: "query-commands", arguments: &[], returns: Returns::List, run: query_commands },
    Verb { name: "query-qmp-schema", arguments: &[], returns: Returns::List, run: |_| Ok(schema::describe()) },
    Verb { name: "quit", arguments: &[], returns: Returns::Object, run: quit },
];

/// QMP's version object. The numbers are Spindle's own; `package` says so.
pub(in crate::control) fn version() -> Value {
    let number = |text: &str| text.parse::<u32>().unwrap_or(0);
    json!({
        "qemu": {
            "major": number(env!("CARGO_PKG_VERSION_MAJOR")),
            "minor": number(env!("CARGO_PKG_VERSION_MINOR")),
            "micro": number(env!("CARGO_PKG_VERSION_PATCH")),
        },
        "package": concat!("spindle-", env!("CARGO_PKG_VERSION")),
    })
}

#[expect(clippy::unnecessary_wraps, reason = "the type of every verb")]
fn query_commands(_: &mut Call<'_>) -> Result<Value, VerbError> {
    Ok(all().map(|verb| json!({ "name": verb.name })).chain([json!({ "name": "qmp_capabilities" })]).collect())
}

/// The daemon ends as on SIGTERM; the answer is sent first.
#[expect(clippy::unnecessary_wraps, reason = "the type of every verb")]
fn quit(call: &mut Call<'_>) -> Result<Value, VerbError> {
    (call.shared.quit)();
    Ok(json!({}))
}
