//! The control socket: wire format, verbs, events, and clients that behave badly.

mod crowd;
mod events;
mod fault;
mod flood;
mod images;
mod media;
mod protocol;
mod qemu_verbs;
mod state;

use std::sync::Arc;

use spindle::drive::{Drive, Tray};

use crate::support::control::Control;
use crate::support::initiator::Initiator;

/// The guest of the first drive, which has taken its first unit attention.
fn guest(control: &Control) -> Initiator {
    let guest = Initiator::of(Arc::clone(&control.drives[0]));
    guest.settle();
    guest
}

fn lock(guest: &Initiator, on: bool) {
    guest.run(&[0x1E, 0, 0, 0, u8::from(on), 0], 0).good();
}

fn locator(drive: &Drive) -> Option<String> {
    drive.snapshot().medium.map(|medium| medium.locator.clone())
}

fn is_open(drive: &Drive) -> bool {
    drive.snapshot().tray == Tray::Open
}

/// Reads one byte of the disc through the drive's command set.
fn first_byte(guest: &Initiator) -> u8 {
    guest.settle();
    guest.run(&[0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0], 2048).good()[0]
}
