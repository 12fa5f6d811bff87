//! Fields of the table of contents.

/// The CONTROL nibble of the Q channel (ECMA-130, 22.3.1; MMC-6, READ TOC/PMA/ATIP).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Control(pub u8);

impl Control {
    /// Two audio channels, no pre-emphasis, copying not permitted.
    pub const AUDIO: Self = Self(0);
    /// Data, recorded uninterrupted, copying not permitted.
    pub const DATA: Self = Self(4);

    /// Audio recorded with pre-emphasis (ECMA-130, 22.3.1).
    #[must_use]
    pub fn pre_emphasis(self) -> bool {
        self.0 & 1 != 0
    }

    /// Digital copies are permitted.
    #[must_use]
    pub fn copy_permitted(self) -> bool {
        self.0 & 2 != 0
    }

    /// Four audio channels.
    #[must_use]
    pub fn four_channels(self) -> bool {
        self.0 & 8 != 0
    }

    /// ADR and CONTROL in one byte, as READ TOC returns them: `adr` in the high nibble.
    #[must_use]
    pub fn with_adr(self, adr: u8) -> u8 {
        adr << 4 | self.0 & 0xF
    }
}

/// One line of the formatted TOC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TocEntry {
    /// Track number, or AAh for the lead-out.
    pub track: u8,
    /// CONTROL of the track; the lead-out has its last track's.
    pub control: Control,
    /// Start address.
    pub start: super::Lba,
}

impl super::Disc {
    /// The formatted TOC: every track, then the lead-out of the last session as track AAh.
    pub fn toc(&self) -> impl Iterator<Item = TocEntry> {
        let last = self.tracks().next_back().map_or(Control::DATA, |track| track.control);
        self.tracks()
            .map(|track| TocEntry { track: track.number, control: track.control, start: track.start })
            .chain(std::iter::once(TocEntry { track: 0xAA, control: last, start: self.lead_out() }))
    }
}
