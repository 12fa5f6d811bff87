//! The 2,352 bytes of a CD sector (ECMA-130, 14; CD-ROM XA 2.1): where its parts lie, and making those that a file does not
//! store.

use std::ops::Range;

use super::edc::{ecc_is_right, edc, write_ecc};
use super::{Lba, TrackMode};

/// Bytes of a whole sector.
pub const RAW: usize = 2352;
/// The first bytes of every data sector.
pub const SYNC: [u8; 12] = [0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0];

const HEADER: Range<usize> = 12..16;
const SUBHEADER: Range<usize> = 16..24;
/// SUBMODE in both copies of the sub-header, and its bit that says Form 2.
const SUBMODE: usize = 18;
const FORM_2: u8 = 0x20;
/// The bit of SUBMODE that says data. The sub-header of a sector that a file stores without one: file 0, channel 0, data,
/// coding 0.
pub const DATA: u8 = 0x08;

/// What a sector is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// Sound from the first byte to the last.
    Audio,
    /// Zeros.
    Mode0,
    /// 2,048 bytes with EDC and ECC.
    Mode1,
    /// 2,336 bytes.
    Mode2,
    /// Sub-header, 2,048 bytes, EDC, ECC.
    Form1,
    /// Sub-header, 2,324 bytes, EDC or zeros.
    Form2,
}

impl Form {
    /// Where the user data lie.
    #[must_use]
    pub const fn user_data(self) -> Range<usize> {
        match self {
            Self::Audio => 0..RAW,
            Self::Mode0 | Self::Mode2 => 16..RAW,
            Self::Mode1 => 16..2064,
            Self::Form1 => 24..2072,
            Self::Form2 => 24..2348,
        }
    }

    /// What the bytes of a whole sector say it is. Without a sync pattern it is sound.
    #[must_use]
    pub fn of(raw: &[u8; RAW]) -> Self {
        if raw[..12] != SYNC {
            return Self::Audio;
        }
        match raw[15] & 3 {
            0 => Self::Mode0,
            1 => Self::Mode1,
            // The sub-header is there twice; a sector where the copies differ has none.
            _ if raw[16..20] != raw[20..24] => Self::Mode2,
            _ if raw[SUBMODE] & FORM_2 != 0 => Self::Form2,
            _ => Self::Form1,
        }
    }

    fn edc(self) -> Option<(Range<usize>, usize)> {
        match self {
            Self::Mode1 => Some((0..2064, 2064)),
            Self::Form1 => Some((16..2072, 2072)),
            Self::Form2 => Some((16..2348, 2348)),
            Self::Audio | Self::Mode0 | Self::Mode2 => None,
        }
    }

    fn mode(self) -> u8 {
        match self {
            Self::Audio | Self::Mode0 => 0,
            Self::Mode1 => 1,
            Self::Mode2 | Self::Form1 | Self::Form2 => 2,
        }
    }
}

/// The form of a sector in a track of `mode`, of which a file stores the bytes `stored`; `raw` has them in their places.
#[must_use]
pub fn form(mode: TrackMode, stored: &Range<usize>, raw: &[u8; RAW]) -> Form {
    match mode {
        TrackMode::Audio => Form::Audio,
        // A file that stores the header knows better than its descriptor: "Mode 1" tracks may have Mode 0 sectors.
        TrackMode::Mode1 if stored.start <= HEADER.start && raw[15] & 3 == 0 => Form::Mode0,
        TrackMode::Mode1 => Form::Mode1,
        TrackMode::Mode2Formless => Form::Mode2,
        TrackMode::Mode2Xa if stored.start > SUBHEADER.start => {
            if stored.end >= Form::Form2.user_data().end {
                Form::Form2
            } else {
                Form::Form1
            }
        }
        TrackMode::Mode2Xa if raw[SUBMODE] & FORM_2 != 0 => Form::Form2,
        TrackMode::Mode2Xa => Form::Form1,
    }
}

/// Makes what a file does not store of a sector: everything outside `stored`, which is in its place in `raw`. Returns the form.
pub fn complete(lba: Lba, mode: TrackMode, stored: &Range<usize>, raw: &mut [u8; RAW]) -> Form {
    let form = form(mode, stored, raw);
    raw[..stored.start].fill(0);
    raw[stored.end..].fill(0);
    if form == Form::Audio {
        return form;
    }
    if stored.start > 0 {
        raw[..12].copy_from_slice(&SYNC);
    }
    if stored.start > HEADER.start {
        raw[HEADER].copy_from_slice(&header(lba, form));
    }
    if stored.start > SUBHEADER.start && matches!(form, Form::Form1 | Form::Form2) {
        let submode = DATA | if form == Form::Form2 { FORM_2 } else { 0 };
        raw[SUBHEADER].copy_from_slice(&[0, 0, submode, 0, 0, 0, submode, 0]);
    }
    let parity = matches!(form, Form::Mode1 | Form::Form1);
    match form.edc() {
        Some((_, at)) if stored.end <= at => seal(raw, form),
        // A file that keeps 2,332 bytes of a sector cuts off the end of its parity.
        Some(_) if stored.end < RAW && parity => {
            let before = *raw;
            write_ecc(raw, form == Form::Mode1);
            raw[stored.clone()].copy_from_slice(&before[stored.clone()]);
        }
        _ => {}
    }
    form
}

/// Writes EDC and parity of a sector of `form` whose other bytes are in place; nothing for a form that has neither.
pub fn seal(raw: &mut [u8; RAW], form: Form) {
    let Some((covered, at)) = form.edc() else { return };
    let edc = edc(&raw[covered]).to_le_bytes();
    raw[at..at + 4].copy_from_slice(&edc);
    if form != Form::Form2 {
        write_ecc(raw, form == Form::Mode1);
    }
}

/// The header of the sector at `lba`: minute, second and frame in BCD, and the mode (ECMA-130, 14.2).
#[must_use]
pub fn header(lba: Lba, form: Form) -> [u8; 4] {
    let [minute, second, frame] = lba.to_msf().to_bcd();
    [minute, second, frame, form.mode()]
}

/// Why the bytes of a whole sector do not agree with one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Damage {
    /// EDC.
    Edc,
    /// P or Q parity, with the EDC right.
    Ecc,
}

/// Checks EDC and ECC of a whole sector. A Form 2 sector whose EDC is zero has none.
#[must_use]
pub fn damage(raw: &[u8; RAW], form: Form) -> Option<Damage> {
    let (covered, at) = form.edc()?;
    let stored = u32::from_le_bytes([raw[at], raw[at + 1], raw[at + 2], raw[at + 3]]);
    if form == Form::Form2 && stored == 0 {
        return None;
    }
    if edc(&raw[covered]) != stored {
        return Some(Damage::Edc);
    }
    (form != Form::Form2 && !ecc_is_right(raw, form == Form::Mode1)).then_some(Damage::Ecc)
}
