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

/// What became of the EjectRequest that a nexus was told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum EjectRequest {
    /// It was told none, or answered it.
    #[default]
    None,
    /// Its answer is awaited.
    Told,
    /// The medium left before it answered.
    Void,
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
    pub eject_request: EjectRequest,
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
            eject_request: EjectRequest::None,
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

    /// Whether an EjectRequest for this medium has not been answered.
    pub fn is_asked(&self) -> bool {
        self.eject_request == EjectRequest::Told || self.media_events.contains(&MediaEvent::EjectRequest)
    }

    pub fn medium_left(&mut self) {
        self.attentions.retain(|&sense| sense != Sense::MEDIUM_MAY_HAVE_CHANGED);
        self.attend(Sense::MEDIUM_REMOVED);
        self.media_events.clear();
        self.notice(MediaEvent::MediaRemoval);
        if self.eject_request == EjectRequest::Told {
            self.eject_request = EjectRequest::Void;
        }
        self.features_changed = true;
    }

    pub fn medium_arrived(&mut self) {
        self.attend(Sense::MEDIUM_MAY_HAVE_CHANGED);
        self.notice(MediaEvent::NewMedia);
        self.features_changed = true;
    }
}
