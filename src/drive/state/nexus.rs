//! What a drive remembers of each initiator.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::scsi::Sense;

/// Media events of GET EVENT STATUS NOTIFICATION (MMC-6, 6.7.2.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum MediaEvent {
    /// Somebody wants the medium out.
    EjectRequest = 1,
    /// A medium became ready.
    NewMedia = 2,
    /// The medium was removed.
    MediaRemoval = 3,
}

/// The EjectRequests that a nexus was told and has not answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct EjectRequests {
    /// For the medium in the drive.
    told: u8,
    /// For media that have left since.
    void: u8,
}

impl EjectRequests {
    /// One that is being answered, and one that was told meanwhile. Of a guest that answers none, so many ejects of its own are refused later.
    const MOST: u8 = 2;

    fn tell(&mut self) {
        self.told = (self.told + 1).min(Self::MOST);
    }

    /// The nexus ejects, which answers the oldest. Whether that was for another medium than the one in the drive.
    pub fn answer(&mut self) -> bool {
        let late = self.void > 0;
        if late {
            self.void -= 1;
        } else {
            self.told = self.told.saturating_sub(1);
        }
        late
    }

    fn medium_left(&mut self) {
        self.void = (self.void + self.told).min(Self::MOST);
        self.told = 0;
    }

    /// What a state from elsewhere says, as far as it can be.
    pub fn restored(self) -> Self {
        Self { told: self.told.min(Self::MOST), void: self.void.min(Self::MOST) }
    }
}

/// How removal is prevented (MMC-6, PREVENT ALLOW MEDIUM REMOVAL).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prevent {
    /// Ends with the nexus.
    pub plain: bool,
    /// Ends only by command or reset.
    pub persistent: bool,
}

/// What belongs to one initiator.
#[derive(Debug)]
pub(super) struct NexusState {
    pub prevent: Prevent,
    /// Unit attentions to report, oldest first; each kind at most once.
    pub attentions: VecDeque<Sense>,
    /// Media events to report, oldest first; each kind at most once.
    pub media_events: VecDeque<MediaEvent>,
    pub eject_requests: EjectRequests,
    /// The features that are current changed since GET EVENT STATUS NOTIFICATION last said so.
    pub features_changed: bool,
}

impl NexusState {
    /// A nexus that has just met the drive learns of the power-on first.
    pub fn new() -> Self {
        Self {
            prevent: Prevent::default(),
            attentions: VecDeque::from([Sense::RESET_OCCURRED]),
            media_events: VecDeque::new(),
            eject_requests: EjectRequests::default(),
            features_changed: false,
        }
    }

    pub fn attend(&mut self, sense: Sense) {
        if !self.attentions.contains(&sense) {
            self.attentions.push_back(sense);
        }
    }

    pub fn notice(&mut self, event: MediaEvent) {
        self.media_events.retain(|&queued| queued != event);
        self.media_events.push_back(event);
    }

    /// The oldest media event; it is not reported again.
    pub fn take_media_event(&mut self) -> Option<MediaEvent> {
        let event = self.media_events.pop_front();
        if event == Some(MediaEvent::EjectRequest) {
            self.eject_requests.tell();
        }
        event
    }

    /// Whether an EjectRequest for this medium has not been answered.
    pub fn is_asked(&self) -> bool {
        self.eject_requests.told > 0 || self.media_events.contains(&MediaEvent::EjectRequest)
    }

    pub fn medium_left(&mut self) {
        self.attentions.retain(|&sense| sense != Sense::MEDIUM_MAY_HAVE_CHANGED);
        self.attend(Sense::MEDIUM_REMOVED);
        self.media_events.clear();
        self.notice(MediaEvent::MediaRemoval);
        self.eject_requests.medium_left();
        self.features_changed = true;
    }

    pub fn medium_arrived(&mut self) {
        self.attend(Sense::MEDIUM_MAY_HAVE_CHANGED);
        self.notice(MediaEvent::NewMedia);
        self.features_changed = true;
    }
}
