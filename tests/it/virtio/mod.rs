//! virtio-scsi from the guest's side: requests, chains, the control and the event queue.

mod chain;
mod control;
mod event;
mod request;

use std::sync::Arc;

use spindle::drive::{Drive, Identity, Tray};

use crate::support::backend::Backend;
use crate::support::disc::patterned;
use crate::support::guest::{Command, Guest, Options, REQUESTS};

const TEST_UNIT_READY: [u8; 6] = [0; 6];
const INQUIRY: [u8; 6] = [0x12, 0, 0, 0, 36, 0];
/// READ (10) of two blocks from block 7.
const READ: [u8; 10] = [0x28, 0, 0, 0, 0, 7, 0, 0, 2, 0];

/// Response codes (virtio 1.2, 5.6.6.1.1 and 5.6.6.2).
const OK: u8 = 0;
const OVERRUN: u8 = 1;
const BAD_TARGET: u8 = 3;
const FAILURE: u8 = 9;
const FUNCTION_REJECTED: u8 = 11;
const INCORRECT_LUN: u8 = 12;

/// A drive with a disc of 300 blocks and no unit attention, and a guest on it. The guest is to be dropped first.
fn with_disc(options: Options) -> (Arc<Drive>, Backend, Guest) {
    let drive = Arc::new(Drive::new(Identity::named("cd0"), Tray::Closed));
    drive.change_medium(patterned(1, 300), false).unwrap();
    let backend = Backend::serve(&[Arc::clone(&drive)]);
    let mut guest = backend.guest(options);
    while guest.command(REQUESTS, &Command::new(&TEST_UNIT_READY, 0)).status != 0 {}
    (drive, backend, guest)
}
