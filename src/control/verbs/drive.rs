//! What the drives hold: QEMU's `query-block`, and our own `drive-query`, which says more.

use serde_json::{Value, json};

use super::{Call, Returns, Verb};
use crate::control::error::VerbError;
use crate::control::server::Attached;
use crate::drive::{Absent, Drive, Medium, Tray};

pub(super) static VERBS: &[Verb] = &[
    Verb { name: "query-block", arguments: &[], returns: Returns::List, run: query_block },
    Verb { name: "drive-query", arguments: &[], returns: Returns::List, run: drive_query },
];

#[expect(clippy::unnecessary_wraps, reason = "the type of every verb")]
fn query_block(call: &mut Call<'_>) -> Result<Value, VerbError> {
    Ok(call.shared.drives.iter().map(|attached| block_info(&attached.drive)).collect())
}

/// QEMU's `BlockInfo`.
fn block_info(drive: &Drive) -> Value {
    let snapshot = drive.snapshot();
    let mut info = json!({
        "device": drive.identity().name,
        "qdev": drive.identity().name,
        "type": "unknown",
        "removable": true,
        "locked": !snapshot.locked_by.is_empty(),
        "tray_open": snapshot.tray == Tray::Open,
    });
    if let Some(medium) = &snapshot.medium {
        info["inserted"] = device_info(medium);
        info["io-status"] = "ok".into();
    }
    info
}

/// QEMU's `BlockDeviceInfo`: nothing is throttled, written or cached here.
fn device_info(medium: &Medium) -> Value {
    json!({
        "file": medium.locator,
        "drv": medium.format,
        "ro": true,
        "encrypted": false,
        "backing_file_depth": 0,
        "detect_zeroes": "off",
        "write_threshold": 0,
        "bps": 0, "bps_rd": 0, "bps_wr": 0, "iops": 0, "iops_rd": 0, "iops_wr": 0,
        "cache": { "writeback": false, "direct": false, "no-flush": false },
        "image": {
            "filename": medium.locator,
            "format": medium.format,
            "virtual-size": bytes(medium),
        },
    })
}

#[expect(clippy::unnecessary_wraps, reason = "the type of every verb")]
fn drive_query(call: &mut Call<'_>) -> Result<Value, VerbError> {
    Ok(call.shared.drives.iter().map(describe).collect())
}

fn describe(attached: &Attached) -> Value {
    let drive = &attached.drive;
    let (identity, snapshot) = (drive.identity(), drive.snapshot());
    let mut value = json!({
        "name": identity.name,
        "lun": attached.lun,
        "vendor": identity.vendor,
        "product": identity.product,
        "revision": identity.revision,
        "serial": identity.serial,
        "tray": if snapshot.tray == Tray::Open { "open" } else { "closed" },
        "behaviour": drive.behaviours().to_string(),
        "audio": snapshot.audio.name(),
        "faults": drive.faults().len(),
        "locked-by": snapshot.locked_by.iter().map(|nexus| nexus.0).collect::<Vec<_>>(),
    });
    if let Some(socket) = &attached.socket {
        value["socket"] = socket.as_str().into();
    }
    if let Some(medium) = &snapshot.medium {
        value["medium"] = self::medium(medium);
    }
    if let Some(Absent { locator, reason }) = &snapshot.absent {
        value["absent"] = json!({ "locator": locator, "reason": reason });
    }
    value
}

/// A medium as `drive-query` and events show it.
pub(in crate::control) fn medium(medium: &Medium) -> Value {
    json!({
        "locator": medium.locator,
        "format": medium.format,
        "type": medium.disc.medium.name(),
        "layers": medium.disc.layers(),
        "blocks": medium.disc.blocks(),
        "bytes": bytes(medium),
        "sessions": medium.disc.sessions.len(),
        "tracks": medium.disc.tracks().count(),
    })
}

fn bytes(medium: &Medium) -> u64 {
    u64::from(medium.disc.blocks()) * u64::from(crate::disc::BLOCK_SIZE)
}
