//! Mode pages: which there are, what they say, and what an initiator may change (SPC-4, 7.5; MMC-6, 7).
//!
//! A page that would only describe writing (05h) is absent, as the drive reads only.

use std::collections::BTreeMap;

use crate::scsi::Sense;
use crate::sound::{Port, Ports};

/// One page as MODE SENSE returns it, from the page code on.
struct Page {
    code: u8,
    default: &'static [u8],
    /// A one for every bit that MODE SELECT may change; page code and length aside.
    changeable: &'static [u8],
}

/// Room for the longest page.
const LONGEST: usize = 32;

const ERROR_RECOVERY: u8 = 0x01;
const CONTROL: u8 = 0x0A;
const AUDIO: u8 = 0x0E;
/// MM Capabilities and Mechanical Status.
const CAPABILITIES: u8 = 0x2A;

/// In the order in which page code 3Fh returns them.
static PAGES: [Page; 7] = [
    // Read/Write Error Recovery (MMC-6). No recovered error ever occurs and no correction is applied, so that PER, DCR
    // and the retry count hold for any value.
    Page {
        code: ERROR_RECOVERY,
        default: &[ERROR_RECOVERY, 0x0A, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        changeable: &[ERROR_RECOVERY, 0x0A, TB | 0x05, 0xFF, 0, 0, 0, 0, 0, 0, 0, 0],
    },
    // Caching (MMC-6): WCE 0, RCD 0. The host's page cache is the read cache.
    Page {
        code: 0x08,
        default: &[0x08, 0x0A, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        changeable: &[0x08, 0x0A, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    },
    // Control (SPC-4): GLTSD, as nothing is ever saved; D_SENSE may be changed.
    Page {
        code: CONTROL,
        default: &[CONTROL, 0x0A, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        changeable: &[CONTROL, 0x0A, D_SENSE, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    },
    // CD Audio Control (MMC-5): IMMED fixed; SOTC, and channels and volumes of the two ports may be changed.
    Page {
        code: AUDIO,
        default: &[AUDIO, 0x0E, 0x04, 0, 0, 0, 0, 0, 0x01, 0xFF, 0x02, 0xFF, 0, 0, 0, 0],
        changeable: &[AUDIO, 0x0E, SOTC, 0, 0, 0, 0, 0, 0x0F, 0xFF, 0x0F, 0xFF, 0, 0, 0, 0],
    },
    // Power Condition (MMC-6): no timer runs, the drive is always active.
    Page {
        code: 0x1A,
        default: &[0x1A, 0x0A, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        changeable: &[0x1A, 0x0A, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    },
    // Timeout and Protect (MMC-6): an initiator should wait 30 seconds for either group; the storage may be remote.
    Page {
        code: 0x1D,
        default: &[0x1D, 0x08, 0, 0, 0, 0, 0, 30, 0, 30],
        changeable: &[0x1D, 0x08, 0, 0, 0, 0, 0, 0, 0, 0],
    },
    // See `Live`.
    Page { code: CAPABILITIES, default: &CAPABILITY_BITS, changeable: &UNCHANGEABLE_CAPABILITIES },
];

/// Read/Write Error Recovery mode page, byte 2.
const TB: u8 = 0x20;
/// CD Audio Control mode page, byte 2.
const SOTC: u8 = 0x02;
/// Control mode page, byte 2.
const D_SENSE: u8 = 0x04;

/// MM Capabilities and Mechanical Status (MMC-3, 5.5.10, which later parts call legacy), without what moves.
const CAPABILITY_BITS: [u8; 32] = {
    let mut page = [0; 32];
    page[0] = CAPABILITIES;
    page[1] = 30;
    // Reads CD-R, CD-RW, DVD-ROM and DVD-R; writes nothing.
    page[2] = 0x01 | 0x02 | 0x08 | 0x10;
    // Audio play, Mode 2 Form 1, Mode 2 Form 2, multi-session.
    page[4] = 0x01 | 0x10 | 0x20 | 0x40;
    // READ CD of sound, without loss of place; R to W, de-interleaved and corrected; C2 pointers; ISRC and UPC (the media
    // catalogue number), by READ SUB-CHANNEL.
    page[5] = 0x01 | 0x02 | 0x04 | 0x08 | 0x10 | 0x20 | 0x40;
    // Lock; eject; the loading mechanism is a tray.
    page[6] = 0x01 | 0x08 | 0x20;
    // Each output has a volume and a mute of its own.
    page[7] = 0x01 | 0x02;
    [page[10], page[11]] = VOLUME_LEVELS.to_be_bytes();
    page
};

/// Volumes that an output can have.
pub const VOLUME_LEVELS: u16 = 256;

const UNCHANGEABLE_CAPABILITIES: [u8; 32] = {
    let mut page = [0; 32];
    page[0] = CAPABILITIES;
    page[1] = 30;
    page
};

/// What the capabilities page says of this moment.
#[derive(Debug, Clone, Copy)]
pub struct Live {
    /// Removal is prevented.
    pub locked: bool,
    /// Highest and selected read speed, in units of 1,000 bytes per second.
    pub read_speed: (u16, u16),
}

impl Live {
    fn overlay(self, page: &mut [u8]) {
        page[6] |= if self.locked { 0x02 } else { 0 };
        page[8..10].copy_from_slice(&self.read_speed.0.to_be_bytes());
        page[14..16].copy_from_slice(&self.read_speed.1.to_be_bytes());
    }
}

/// Page control of MODE SENSE; saved values (11b) do not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageControl {
    Current,
    Changeable,
    Default,
}

/// The current values of all pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModePages {
    current: [[u8; LONGEST]; PAGES.len()],
}

impl Default for ModePages {
    fn default() -> Self {
        let mut current = [[0; LONGEST]; PAGES.len()];
        for (values, page) in current.iter_mut().zip(&PAGES) {
            values[..page.default.len()].copy_from_slice(page.default);
        }
        Self { current }
    }
}

impl ModePages {
    /// What MODE SELECT may have changed, page by page: page code and current values.
    pub fn kept(&self) -> BTreeMap<u8, Vec<u8>> {
        let values = self.current.iter().zip(&PAGES);
        values.map(|(values, page)| (page.code, values[..page.default.len()].to_vec())).collect()
    }

    /// The pages as [`kept`](Self::kept) gave them, as far as MODE SELECT may change them.
    pub fn restored(kept: &BTreeMap<u8, Vec<u8>>) -> Self {
        let mut pages = Self::default();
        for (values, page) in pages.current.iter_mut().zip(&PAGES) {
            let kept = kept.get(&page.code).map_or(&[][..], Vec::as_slice);
            for ((value, kept), changeable) in values.iter_mut().zip(kept).zip(page.changeable).skip(2) {
                *value = *value & !changeable | kept & changeable;
            }
        }
        pages
    }

    /// The D_SENSE bit: sense data have descriptor format.
    pub fn descriptor_sense(&self) -> bool {
        self.has(CONTROL, D_SENSE)
    }

    /// The TB bit: a block that is in error is transferred before the error is told.
    pub fn transfer_block(&self) -> bool {
        self.has(ERROR_RECOVERY, TB)
    }

    /// The SOTC bit: a play ends with its track.
    pub fn stops_on_track_crossing(&self) -> bool {
        self.has(AUDIO, SOTC)
    }

    /// The outputs for sound.
    pub fn ports(&self) -> Ports {
        let page = self.page(AUDIO);
        Ports([8, 10].map(|at| Port { channels: page[at], volume: page[at + 1] }))
    }

    /// Whether a bit of byte 2 of a page is one.
    fn has(&self, code: u8, bit: u8) -> bool {
        self.page(code)[2] & bit != 0
    }

    /// The current values of a page; zeros if there is none.
    fn page(&self, code: u8) -> [u8; LONGEST] {
        self.current.iter().zip(&PAGES).find(|(_, page)| page.code == code).map_or([0; LONGEST], |(values, _)| *values)
    }

    /// Every page that `wanted` asks for (3Fh: all), one after another; empty when there is none.
    pub fn pages(&self, wanted: u8, control: PageControl, live: Live) -> Vec<u8> {
        let mut data = Vec::new();
        for (values, page) in self.current.iter().zip(&PAGES).filter(|(_, page)| wanted == 0x3F || wanted == page.code)
        {
            let start = data.len();
            data.extend_from_slice(match control {
                PageControl::Current => &values[..page.default.len()],
                PageControl::Changeable => page.changeable,
                PageControl::Default => page.default,
            });
            if page.code == CAPABILITIES && control != PageControl::Changeable {
                live.overlay(&mut data[start..]);
            }
        }
        data
    }

    /// The values after MODE SELECT sent the pages of `list` from byte `at` on; nothing before that is looked at.
    ///
    /// # Errors
    /// The sense of the first page that is not as it must be, with a pointer into `list`.
    pub fn selected(&self, list: &[u8], mut at: usize, live: Live) -> Result<Self, Sense> {
        let mut new = *self;
        while let Some(&first) = list.get(at) {
            // SPF: a subpage, and there are none. PS is reserved here.
            if first & 0x40 != 0 {
                return Err(invalid(at, 6));
            }
            let Some((index, page)) = PAGES.iter().enumerate().find(|(_, page)| page.code == first & 0x3F) else {
                return Err(invalid(at, 5));
            };
            match list.get(at + 1) {
                None => return Err(Sense::PARAMETER_LIST_LENGTH),
                Some(length) if *length != page.default[1] => return Err(invalid(at + 1, 7)),
                Some(_) => {}
            }
            let given = list.get(at..at + page.default.len()).ok_or(Sense::PARAMETER_LIST_LENGTH)?;
            let mut now = self.current[index];
            if page.code == CAPABILITIES {
                live.overlay(&mut now);
            }
            for offset in 2..given.len() {
                let fixed = (given[offset] ^ now[offset]) & !page.changeable[offset];
                if fixed != 0 {
                    return Err(invalid(at + offset, 7 - fixed.leading_zeros() as u8));
                }
                let changed = page.changeable[offset];
                let value = &mut new.current[index][offset];
                *value = *value & !changed | given[offset] & changed;
            }
            at += given.len();
        }
        Ok(new)
    }
}

/// 05/26/00 at a byte of the parameter list, whose length has 16 bits.
fn invalid(byte: usize, bit: u8) -> Sense {
    Sense::invalid_parameter_bit(u16::try_from(byte).unwrap_or(u16::MAX), bit)
}
