//! What of a drive's state outlives the process, in a form that can be written down.
//!
//! What comes back may have been damaged or made up: values that no drive can have are left out, one by one.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::nexus::{EjectRequests, MediaEvent, NexusState, Prevent};
use super::{State, Tray};
use crate::drive::Medium;
use crate::drive::mode_page::ModePages;
use crate::drive::playback::KeptPlay;
use crate::scsi::{Nexus, Sense};

/// Everything that a drive remembers but the medium itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Kept {
    tray_open: bool,
    /// Whether there was a medium in it.
    medium: bool,
    #[serde(default)]
    absent: Option<Absent>,
    reservation: Option<u16>,
    speed: Option<u32>,
    modes: BTreeMap<u8, Vec<u8>>,
    nexuses: BTreeMap<u16, KeptNexus>,
    audio: KeptPlay,
    /// Since 1970.
    milliseconds: u64,
}

/// A medium that should be in the drive and could not be put in again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Absent {
    /// What people called it.
    pub locator: String,
    /// Why it is not there, in one line.
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct KeptNexus {
    prevent: Prevent,
    /// ASC and ASCQ.
    attentions: VecDeque<(u8, u8)>,
    media_events: VecDeque<MediaEvent>,
    eject_requests: EjectRequests,
    features_changed: bool,
}

/// The unit attentions that a drive reports.
const ATTENTIONS: [Sense; 4] =
    [Sense::RESET_OCCURRED, Sense::MEDIUM_REMOVED, Sense::MEDIUM_MAY_HAVE_CHANGED, Sense::MODE_PARAMETERS_CHANGED];

impl KeptNexus {
    fn of(nexus: &NexusState) -> Self {
        Self {
            prevent: nexus.prevent,
            attentions: nexus.attentions.iter().map(|sense| (sense.asc, sense.ascq)).collect(),
            media_events: nexus.media_events.clone(),
            eject_requests: nexus.eject_requests,
            features_changed: nexus.features_changed,
        }
    }

    fn restored(&self) -> NexusState {
        let mut nexus = NexusState { prevent: self.prevent, attentions: VecDeque::new(), ..NexusState::new() };
        let known =
            |&(asc, ascq): &(u8, u8)| ATTENTIONS.into_iter().find(|sense| (sense.asc, sense.ascq) == (asc, ascq));
        self.attentions.iter().filter_map(known).for_each(|sense| nexus.attend(sense));
        self.media_events.iter().for_each(|&event| nexus.notice(event));
        nexus.eject_requests = self.eject_requests.restored();
        nexus.features_changed = self.features_changed;
        nexus
    }
}

impl Kept {
    /// Whether there was a medium in it.
    pub fn has_medium(&self) -> bool {
        self.medium
    }

    /// The same as if it had been kept at this moment, by this daemon: clocks of two hosts need not agree, and what was missing
    /// there is not missed here.
    #[must_use]
    pub fn arrived(self) -> Self {
        Self { milliseconds: milliseconds(), absent: None, ..self }
    }
}

impl State {
    /// What there is to keep. A play must have been brought to this moment.
    pub fn kept(&self) -> Kept {
        Kept {
            tray_open: self.tray == Tray::Open,
            medium: self.medium.is_some(),
            absent: self.absent.clone(),
            reservation: self.reservation.map(|nexus| nexus.0),
            speed: self.speed.chosen(),
            modes: self.modes.kept(),
            nexuses: self.nexuses.iter().map(|(id, nexus)| (id.0, KeptNexus::of(nexus))).collect(),
            audio: self.playback.kept(),
            milliseconds: milliseconds(),
        }
    }

    /// Becomes what was kept, with the same medium. If there was one that could not be had again, `medium` says why not: for the
    /// guests it has been taken out.
    pub fn restore(&mut self, kept: &Kept, medium: Result<Option<Arc<Medium>>, Absent>, now: Duration) {
        self.tray = if kept.tray_open { Tray::Open } else { Tray::Closed };
        self.reservation = kept.reservation.map(Nexus);
        self.speed.choose(kept.speed);
        self.modes = ModePages::restored(&kept.modes);
        self.nexuses = kept.nexuses.iter().map(|(&id, nexus)| (Nexus(id), nexus.restored())).collect();
        self.playback.reset();
        self.playback.set_ports(self.modes.ports());
        self.absent.clone_from(&kept.absent);
        match medium {
            Ok(medium) => {
                if let Some(medium) = medium.as_ref().filter(|_| self.tray == Tray::Closed) {
                    let ago = Duration::from_millis(milliseconds().saturating_sub(kept.milliseconds));
                    self.playback.restore(&kept.audio, medium, ago, now);
                }
                self.medium = medium;
            }
            Err(absent) => {
                self.absent = Some(absent);
                if kept.medium && self.tray == Tray::Closed {
                    self.nexuses.values_mut().for_each(NexusState::medium_left);
                }
            }
        }
        self.changed();
    }
}

fn milliseconds() -> u64 {
    // A clock before 1970 makes every play that was kept a finished one, at worst.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}
