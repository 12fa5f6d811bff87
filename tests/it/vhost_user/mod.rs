//! The vhost-user back-end from the front-end's side: connections, and the life of a ring.

mod at_once;
mod calls;
mod connection;
mod defects;
mod dirty;
mod ending;
mod give_way;
mod memory;
mod restart;
mod rings;
mod shrink;
mod stops;
mod tables;
mod waits;

use std::sync::Arc;

use spindle::drive::{Drive, Identity, Tray};

use crate::support::backend::Backend;
use crate::support::disc::patterned;

/// A drive with a disc of 300 blocks, served: the power-on attention is pending.
fn served() -> (Arc<Drive>, Backend) {
    let drive = Arc::new(Drive::new(Identity::named("cd0"), Tray::Closed));
    drive.change_medium(patterned(1, 300), false).unwrap();
    let backend = Backend::serve(&[Arc::clone(&drive)]);
    (drive, backend)
}
