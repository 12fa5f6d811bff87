//! What READ CD returns of a sector: the fields of its CDB.

use std::ops::Range;

use crate::disc::TrackMode;
use crate::disc::sector::{Form, RAW};
use crate::scsi::{Sense, Task};

/// What is returned of each sector, in this order: main channel, error flags, sub-channel.
pub struct Selection {
    /// The sector type that the initiator insists on.
    expected: Option<Form>,
    /// CDB byte 9, bits 7 to 3.
    main: u8,
    /// Bytes of error flags: the C2 pointers, and before them the block error byte and its pad where they are asked for.
    pub errors: usize,
    /// The sub-channel.
    pub sub: Sub,
}

/// Sub-channel selection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sub {
    /// Nothing.
    None,
    /// P to W as they lie on the disc, a bit of each channel in every byte.
    Raw,
    /// Q, with the bit of P.
    Q,
    /// R to W, de-interleaved and corrected.
    Packs,
}

// Bits of `Selection::main`.
const SYNC: u8 = 0x80;
const SUBHEADER: u8 = 0x40;
const HEADER: u8 = 0x20;
const USER_DATA: u8 = 0x10;
const EDC_ECC: u8 = 0x08;

const EVERYTHING: u8 = SYNC | SUBHEADER | HEADER | USER_DATA | EDC_ECC;

/// The combinations that MMC-6 defines (READ CD, number of bytes returned by data selection field).
const DEFINED: [u8; 19] = [
    0x00, 0x10, 0x18, 0x20, 0x30, 0x38, 0x40, 0x50, 0x58, 0x60, 0x70, 0x78, 0x80, 0xA0, 0xB0, 0xB8, 0xE0, 0xF0,
    EVERYTHING,
];

/// Bytes of C2 pointers: a bit for each byte of a sector.
pub const C2: usize = RAW / 8;

impl Selection {
    /// From bytes 1, 9 and 10.
    ///
    /// # Errors
    /// 05/24/00 for what is reserved or not defined.
    pub fn of(task: &Task<'_>) -> Result<Self, Sense> {
        let expected = match task.u8(1) >> 2 & 0x07 {
            0 => None,
            1 => Some(Form::Audio),
            2 => Some(Form::Mode1),
            3 => Some(Form::Mode2),
            4 => Some(Form::Form1),
            5 => Some(Form::Form2),
            _ => return Err(Sense::invalid_cdb_bit(1, 4)),
        };
        let main = task.u8(9) & EVERYTHING;
        if !DEFINED.contains(&main) {
            return Err(Sense::invalid_cdb_bit(9, 7));
        }
        let errors = match task.u8(9) >> 1 & 0x03 {
            0 => 0,
            1 => C2,
            2 => 2 + C2,
            _ => return Err(Sense::invalid_cdb_bit(9, 2)),
        };
        let sub = match task.u8(10) & 0x07 {
            0 => Sub::None,
            1 => Sub::Raw,
            2 => Sub::Q,
            4 => Sub::Packs,
            _ => return Err(Sense::invalid_cdb_bit(10, 2)),
        };
        Ok(Self { expected, main, errors, sub })
    }

    /// Whether a sector of `form` may be returned.
    pub fn accepts(&self, form: Form) -> bool {
        self.expected.is_none_or(|expected| expected == form)
    }

    /// Which bytes of a sector of `form` are returned: the selected fields, without those that it does not have.
    ///
    /// # Errors
    /// 05/24/00 when they do not lie side by side.
    pub fn main_channel(&self, form: Form) -> Result<Range<usize>, Sense> {
        // Sound has no other field than user data, which stands for any.
        if form == Form::Audio {
            return Ok(if self.main == 0 { 0..0 } else { 0..RAW });
        }
        let mut range = 0..0;
        for (_, field) in fields(form).into_iter().filter(|(bit, field)| self.main & bit != 0 && !field.is_empty()) {
            if range.is_empty() {
                range = field;
            } else if range.end == field.start {
                range.end = field.end;
            } else {
                return Err(Sense::invalid_cdb_bit(9, 7));
            }
        }
        Ok(range)
    }

    /// Whether all of every sector and nothing else is returned of a track of `mode`, whatever forms are in it.
    pub fn is_all_of(&self, mode: TrackMode) -> bool {
        let main = match (mode, self.expected) {
            (TrackMode::Audio, None | Some(Form::Audio)) => self.main != 0,
            (_, None) => self.main == EVERYTHING,
            _ => false,
        };
        main && self.errors == 0 && self.sub == Sub::None
    }

    /// Whether nothing is returned of any sector.
    pub fn is_nothing(&self) -> bool {
        self.main == 0 && self.errors == 0 && self.sub == Sub::None
    }
}

/// The fields of a data sector with the bits that select them, in their order. The user data of Form 2 include the four bytes at
/// its end, which may be an EDC.
fn fields(form: Form) -> [(u8, Range<usize>); 5] {
    let (subheader, user, edc_ecc) = match form {
        Form::Audio | Form::Mode0 | Form::Mode2 => (0..0, 16..RAW, 0..0),
        Form::Mode1 => (0..0, 16..2064, 2064..RAW),
        Form::Form1 => (16..24, 24..2072, 2072..RAW),
        Form::Form2 => (16..24, 24..RAW, 0..0),
    };
    [(SYNC, 0..12), (HEADER, 12..16), (SUBHEADER, subheader), (USER_DATA, user), (EDC_ECC, edc_ecc)]
}
