//! The state of a drive as a text that another daemon takes: for a machine that moves to another host.
//!
//! A line with a version and a checksum, and a line of JSON: the state as it is kept over restarts, with what tells whether the drive
//! it comes to is the same for the guest. Its disc is named and not in it: the other host has its own image of the same disc. What is
//! loaded may have been damaged or made up.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::state::Kept;
use super::{Drive, DriveEvent, Identity, Medium};
use crate::disc::Fingerprint;

const MAGIC: &str = "spindle-state";
const VERSION: &str = "1";
/// The longest text that is loaded. One that was saved has one or two kilobytes. Whatever is in it, it fits into a command of the
/// control socket, where some characters take six bytes.
pub const MOST_SAVED: usize = 8 << 10;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Saved {
    lun: u16,
    vendor: String,
    product: String,
    revision: String,
    serial: String,
    disc: Option<Fingerprint>,
    drive: Kept,
}

/// Why a state is not loaded: what is wrong, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LoadRefused {
    /// It is something else.
    #[error("this is no saved state of a drive: \"spindle state save\" writes one")]
    Other,
    /// Another version of Spindle saved it.
    #[error(
        "the state has version {0} and this spindled loads version {VERSION}: run the same version of Spindle on both hosts"
    )]
    Version(String),
    /// Some of it is missing or was changed.
    #[error("the state is damaged, its checksum does not fit: save it again")]
    Damaged,
    /// It is whole, and no drive has such a state.
    #[error("the state says what no drive can say ({0}): save it again")]
    Content(String),
    /// The guest would find another drive.
    #[error(
        "the saved drive has {field} \"{saved}\" and this one \"{here}\": start spindled with --drive name={name},{field}={saved}"
    )]
    Identity {
        /// Key of `--drive`.
        field: &'static str,
        /// What was saved.
        saved: String,
        /// What this drive has.
        here: String,
        /// This drive.
        name: String,
    },
    /// The guest would find it somewhere else.
    #[error(
        "the saved drive was LUN {saved} and this one is LUN {here}: give spindled its --drive options in the same order"
    )]
    Place {
        /// What was saved.
        saved: u16,
        /// What this drive is.
        here: u16,
    },
    /// Another disc is in it.
    #[error(
        "another disc is in the drive, with {0}: put the disc of the saved drive in (spindle insert) and load again"
    )]
    Disc(String),
    /// It has no disc.
    #[error("the saved drive has a disc in it and this one has none: put it in (spindle insert) and load again")]
    DiscMissing,
    /// It has a disc.
    #[error("the saved drive has no disc in it and this one has: take it out (spindle eject) and load again")]
    DiscTooMany,
    /// Somebody moves the disc.
    #[error("the disc was changed meanwhile: load again")]
    Moved,
}

impl Drive {
    /// The state at this moment, of a drive that is LUN `lun`. Commands and persons may change it right after: who moves a machine
    /// has stopped it before.
    #[must_use]
    pub fn save(&self, lun: u16) -> String {
        let (kept, medium) = {
            let state = self.state_by_now();
            (state.kept(), state.medium_in_tray().cloned())
        };
        let Identity { vendor, product, revision, serial, .. } = self.identity.clone();
        let disc = medium.map(|medium| Fingerprint::of(&medium.disc));
        let saved = Saved { lun, vendor, product, revision, serial, disc, drive: kept };
        let json = serde_json::to_string(&saved).unwrap_or_default();
        format!("{MAGIC} {VERSION} {:08x}\n{json}\n", crc32fast::hash(json.as_bytes()))
    }

    /// Takes a state that was saved over from another drive, if that was the same for a guest, with the same disc. The disc must be in
    /// it already. A play goes on where it was saved.
    ///
    /// # Errors
    /// When it is none, or not this drive's or disc's; nothing has changed then.
    pub fn load(&self, lun: u16, text: &str) -> Result<(), LoadRefused> {
        let saved = read(text)?;
        self.check_names(&saved)?;
        if saved.lun != lun {
            return Err(LoadRefused::Place { saved: saved.lun, here: lun });
        }
        let medium = self.snapshot().medium;
        check_disc(saved.disc.as_ref(), medium.as_deref())?;
        let kept = saved.drive.arrived();
        let loaded = self.change(|state, events| {
            if state.medium_in_tray().map(Arc::as_ptr) != medium.as_ref().map(Arc::as_ptr) {
                return Err(LoadRefused::Moved);
            }
            state.restore(&kept, Ok(medium.clone()), self.clock.now());
            events.push(DriveEvent::StateLoaded);
            Ok(())
        });
        if loaded.is_ok() {
            self.forget_notes();
            self.keep_all(None);
        }
        self.tell_untold();
        loaded
    }

    fn check_names(&self, saved: &Saved) -> Result<(), LoadRefused> {
        let here = &self.identity;
        let fields = [
            ("vendor", &saved.vendor, &here.vendor),
            ("product", &saved.product, &here.product),
            ("revision", &saved.revision, &here.revision),
            ("serial", &saved.serial, &here.serial),
        ];
        match fields.into_iter().find(|(_, saved, here)| saved != here) {
            Some((field, saved, own)) => {
                Err(LoadRefused::Identity { field, saved: shown(saved), here: own.clone(), name: here.name.clone() })
            }
            None => Ok(()),
        }
    }
}

fn read(text: &str) -> Result<Saved, LoadRefused> {
    let (head, json) = text.split_once('\n').ok_or(LoadRefused::Other)?;
    let mut words = head.split(' ');
    if words.next() != Some(MAGIC) || text.len() > MOST_SAVED {
        return Err(LoadRefused::Other);
    }
    match words.next() {
        Some(VERSION) => {}
        Some(other) => return Err(LoadRefused::Version(shown(other))),
        None => return Err(LoadRefused::Other),
    }
    let json = json.trim_end();
    let checksum = format!("{:08x}", crc32fast::hash(json.as_bytes()));
    if words.next() != Some(&*checksum) {
        return Err(LoadRefused::Damaged);
    }
    let saved: Saved = serde_json::from_str(json).map_err(|error| LoadRefused::Content(shown(&error.to_string())))?;
    if saved.disc.is_some() != saved.drive.has_medium() {
        return Err(LoadRefused::Content("a disc that is there and is not".to_owned()));
    }
    Ok(saved)
}

/// Text of the file, for a terminal.
fn shown(text: &str) -> String {
    let most = text.chars().take(100);
    most.map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect()
}

fn check_disc(saved: Option<&Fingerprint>, medium: Option<&Medium>) -> Result<(), LoadRefused> {
    match (saved, medium) {
        (None, None) => Ok(()),
        (None, Some(_)) => Err(LoadRefused::DiscTooMany),
        (Some(_), None) => Err(LoadRefused::DiscMissing),
        (Some(saved), Some(medium)) => match saved.difference(&Fingerprint::of(&medium.disc)) {
            Some(difference) => Err(LoadRefused::Disc(difference)),
            None => Ok(()),
        },
    }
}
