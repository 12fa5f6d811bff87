//! The subchannel of a CD (ECMA-130, 22; Red Book): its Q channel, and the two ways to lay out its 96 bytes.

use std::io;

use super::{Control, Disc, Lba, Msf, SectorError, packs};
use crate::source::SharedSource;

/// Bytes of P to W of one sector.
pub const SUBCHANNEL: usize = 96;
/// Bytes of one channel.
const CHANNEL: usize = 12;
/// How often MCN and ISRC are told: "in at least one of 100 consecutive sectors" (22.3.2, 22.3.3).
const RARE: u32 = 100;

/// One sector's Q channel: CONTROL and ADR, nine bytes of data, CRC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Q(pub [u8; CHANNEL]);

impl Q {
    fn new(control: Control, adr: u8, data: [u8; 9]) -> Self {
        let mut bytes = [0; CHANNEL];
        bytes[0] = control.0 << 4 | adr;
        bytes[1..10].copy_from_slice(&data);
        let crc = crc(&bytes[..10]).to_be_bytes();
        bytes[10..].copy_from_slice(&crc);
        Self(bytes)
    }

    /// ADR 1: where the sector is. `track` is 1 to 99, or AAh for the lead-out.
    #[must_use]
    pub fn position(control: Control, track: u8, index: u8, relative: Msf, absolute: Lba) -> Self {
        let [minute, second, frame] = relative.to_bcd();
        let [a_minute, a_second, a_frame] = absolute.to_msf().to_bcd();
        let track = if track == LEAD_OUT { LEAD_OUT } else { bcd(track) };
        Self::new(control, 1, [track, bcd(index), minute, second, frame, 0, a_minute, a_second, a_frame])
    }

    /// ADR 2: the media catalogue number.
    #[must_use]
    pub fn mcn(control: Control, digits: &[u8; 13], absolute: Lba) -> Self {
        let mut data = [0; 9];
        for (index, digit) in digits.iter().enumerate() {
            data[index / 2] |= (digit & 0xF) << if index % 2 == 0 { 4 } else { 0 };
        }
        data[8] = absolute.to_msf().to_bcd()[2];
        Self::new(control, 2, data)
    }

    /// ADR 3: the track's ISRC: five characters of six bits, two zero bits, seven digits.
    #[must_use]
    pub fn isrc(control: Control, code: &[u8; 12], absolute: Lba) -> Self {
        let character = |byte: u8| match byte {
            b'0'..=b'9' => u64::from(byte - b'0'),
            b'A'..=b'Z' => u64::from(byte - b'A') + 0x11,
            _ => 0,
        };
        let owner = code[..5].iter().fold(0, |bits, &byte| bits << 6 | character(byte)) << 2;
        let number = code[5..].iter().fold(0, |bits, &byte| bits << 4 | u64::from(byte & 0xF)) << 4;
        let mut data = [0; 9];
        data[..4].copy_from_slice(&(owner as u32).to_be_bytes());
        data[4..8].copy_from_slice(&(number as u32).to_be_bytes());
        data[8] = absolute.to_msf().to_bcd()[2];
        Self::new(control, 3, data)
    }

    /// The media catalogue number, if this tells it.
    #[must_use]
    pub fn told_mcn(&self) -> Option<[u8; 13]> {
        let digits: [u8; 13] = std::array::from_fn(|at| b'0' + self.nibble(at));
        (self.tells(2) && digits.iter().all(u8::is_ascii_digit)).then_some(digits)
    }

    /// The ISRC, if this tells it.
    #[must_use]
    pub fn told_isrc(&self) -> Option<[u8; 12]> {
        let owner = self.0[1..5].iter().fold(0, |bits, &byte| bits << 8 | u32::from(byte)) >> 2;
        let code: [u8; 12] = std::array::from_fn(|at| match at {
            0..5 => match (owner >> (6 * (4 - at)) & 0x3F) as u8 {
                digit @ 0..=9 => b'0' + digit,
                letter => (letter + b'A').wrapping_sub(0x11),
            },
            _ => b'0' + self.nibble(8 + at - 5),
        });
        let is_code = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
        (self.tells(3) && code.iter().all(is_code)).then_some(code)
    }

    /// Four bits of the nine bytes of data, counted from the first.
    fn nibble(&self, at: usize) -> u8 {
        self.0[1 + at / 2] >> (4 * (1 - at % 2)) & 0xF
    }

    fn tells(&self, adr: u8) -> bool {
        self.0[0] & 0xF == adr && self.is_sound()
    }

    /// True when the CRC is that of the other bytes.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        crc(&self.0[..10]).to_be_bytes() == self.0[10..]
    }

    /// The Q channel of 96 bytes with one channel after another.
    #[must_use]
    pub fn of_linear(linear: &[u8; SUBCHANNEL]) -> Self {
        let mut bytes = [0; CHANNEL];
        bytes.copy_from_slice(&linear[CHANNEL..2 * CHANNEL]);
        Self(bytes)
    }
}

/// Track number of the lead-out.
pub const LEAD_OUT: u8 = 0xAA;

/// Where a file stores the subchannel of an extent.
#[derive(Debug, Clone)]
pub struct StoredSubchannel {
    /// Where it lies.
    pub source: SharedSource,
    /// Offset of the first sector's in `source`, in bytes.
    pub offset: u64,
    /// Bytes from one sector's to the next in `source`.
    pub stride: u32,
    /// Its form.
    pub form: SubchannelForm,
}

/// How a file lays out the subchannel of a sector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SubchannelForm {
    /// 96 bytes, one channel after another.
    Linear,
    /// 96 bytes, one bit of each channel per byte.
    Interleaved,
    /// 16 bytes: Q, three zeros, P in bit 7 of the last.
    Q16,
    /// 96 bytes: four packs of R to W, de-interleaved, a symbol in the low six bits of each.
    Packs,
}

impl StoredSubchannel {
    /// The subchannel of the sector `index` sectors after the first, one channel after another.
    ///
    /// # Errors
    /// What the storage reports.
    pub fn read(&self, index: u32) -> io::Result<[u8; SUBCHANNEL]> {
        let at = self.offset.saturating_add(u64::from(index) * u64::from(self.stride));
        let mut stored = [0; SUBCHANNEL];
        match self.form {
            SubchannelForm::Linear => self.source.read_exact_at(&mut stored, at).map(|()| stored),
            SubchannelForm::Interleaved => self.source.read_exact_at(&mut stored, at).map(|()| linear(&stored)),
            SubchannelForm::Q16 => {
                self.source.read_exact_at(&mut stored[..16], at)?;
                let mut all = [0; SUBCHANNEL];
                all[..CHANNEL].fill(if stored[15] & 0x80 != 0 { 0xFF } else { 0 });
                all[CHANNEL..2 * CHANNEL].copy_from_slice(&stored[..CHANNEL]);
                Ok(all)
            }
            SubchannelForm::Packs => {
                let before = index.min(packs::BEFORE);
                let mut packs = vec![0; (before as usize + 1) * SUBCHANNEL];
                for (back, sector) in (0..=before).rev().zip(packs.chunks_exact_mut(SUBCHANNEL)) {
                    self.source.read_exact_at(sector, at - u64::from(back) * u64::from(self.stride))?;
                }
                Ok(linear(&packs::spread(&packs)))
            }
        }
    }
}

/// Where an address lies among the tracks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// CONTROL of the track.
    pub control: Control,
    /// Its number, or [`LEAD_OUT`].
    pub track: u8,
    /// 0 in a pre-gap.
    pub index: u8,
    /// Sectors from index 1, negative before it; in a lead-out from its start.
    pub relative: i32,
}

impl Disc {
    /// Addresses before the first track belong to its pre-gap, addresses after a session's tracks to its lead-out.
    #[must_use]
    pub fn position(&self, lba: Lba) -> Position {
        let track = self.track_at(lba).or_else(|| self.tracks().next().filter(|track| lba < track.first()));
        let relative = |start: Lba| lba.0.saturating_sub(start.0);
        let Some(track) = track else {
            let before = self.sessions.iter().rfind(|session| session.lead_out <= lba);
            let start = before.map_or(Lba(0), |session| session.lead_out);
            let control = before.and_then(|session| session.tracks.last()).map_or(Control::DATA, |track| track.control);
            return Position { control, track: LEAD_OUT, index: 1, relative: relative(start) };
        };
        let index = match relative(track.start) {
            ..0 => 0,
            _ => 1 + track.indices.iter().filter(|&&start| start <= lba).count(),
        };
        Position {
            control: track.control,
            track: track.number,
            index: u8::try_from(index).unwrap_or(99),
            relative: relative(track.start),
        }
    }

    /// The Q channel at `lba`, made from sessions and tracks: the [position](Self::position), and now and then MCN or ISRC.
    #[must_use]
    pub fn q(&self, lba: Lba) -> Q {
        let Position { control, track, index, relative } = self.position(lba);
        let isrc = self.track(track).filter(|_| index > 0).and_then(|track| track.isrc.as_ref());
        match (lba.0.rem_euclid(RARE as i32), &self.mcn, isrc) {
            (0, Some(mcn), _) if track != LEAD_OUT => Q::mcn(control, mcn, lba),
            (50, _, Some(isrc)) => Q::isrc(control, isrc, lba),
            // In the pre-gap time runs down to index 1.
            _ => Q::position(control, track, index, Lba(0).plus(relative.unsigned_abs()).minus(150).to_msf(), lba),
        }
    }

    /// The 96 bytes of the subchannel at `lba`, one channel after another: as stored, or made.
    ///
    /// # Errors
    /// When the storage fails.
    pub fn read_subchannel(&self, lba: Lba) -> Result<[u8; SUBCHANNEL], SectorError> {
        let extent = self.track_at(lba).and_then(|track| track.extent_at(lba));
        match extent.and_then(|extent| extent.subchannel.as_ref().map(|stored| stored.read(lba.since(extent.first)))) {
            Some(read) => {
                read.map(|stored| self.with_position(lba, stored)).map_err(|error| SectorError::Storage(lba, error))
            }
            None => Ok(self.made_subchannel(lba)),
        }
    }

    /// `stored`, with P and Q made where they are only zeros, which no disc has: many files store R to W alone (CD+G).
    fn with_position(&self, lba: Lba, stored: [u8; SUBCHANNEL]) -> [u8; SUBCHANNEL] {
        let mut linear = stored;
        if stored[..2 * CHANNEL] == [0; 2 * CHANNEL] {
            linear[..2 * CHANNEL].copy_from_slice(&self.made_subchannel(lba)[..2 * CHANNEL]);
        }
        linear
    }

    /// P, Q as [`q`](Self::q), R to W empty.
    fn made_subchannel(&self, lba: Lba) -> [u8; SUBCHANNEL] {
        let mut linear = [0; SUBCHANNEL];
        // P is set in a pre-gap, and flashes in the lead-out (22.2).
        let p = match self.track_at(lba) {
            Some(track) => lba < track.start,
            None => lba.0.rem_euclid(75) < 37,
        };
        linear[..CHANNEL].fill(if p { 0xFF } else { 0 });
        linear[CHANNEL..2 * CHANNEL].copy_from_slice(&self.q(lba).0);
        linear
    }
}

/// One channel after another, as files keep it, to one bit of each channel per byte, P in bit 7, as drives deliver it.
#[must_use]
pub fn interleaved(linear: &[u8; SUBCHANNEL]) -> [u8; SUBCHANNEL] {
    let mut raw = [0; SUBCHANNEL];
    for (at, byte) in raw.iter_mut().enumerate() {
        *byte = (0..8).fold(0, |bits, channel| bits << 1 | linear[channel * CHANNEL + at / 8] >> (7 - at % 8) & 1);
    }
    raw
}

/// The inverse of [`interleaved`].
#[must_use]
pub fn linear(raw: &[u8; SUBCHANNEL]) -> [u8; SUBCHANNEL] {
    let mut linear = [0; SUBCHANNEL];
    for (at, byte) in linear.iter_mut().enumerate() {
        let (channel, first) = (at / CHANNEL, at % CHANNEL * 8);
        *byte = raw[first..first + 8].iter().fold(0, |bits, &sample| bits << 1 | sample >> (7 - channel) & 1);
    }
    linear
}

/// CRC of Q and of CD-TEXT packs: x^16 + x^12 + x^5 + 1, inverted (ECMA-130, 22.3.2).
#[must_use]
pub fn crc(bytes: &[u8]) -> u16 {
    !bytes.iter().fold(0_u16, |crc, &byte| {
        (0..8).fold(crc ^ u16::from(byte) << 8, |crc, _| crc << 1 ^ if crc & 0x8000 != 0 { 0x1021 } else { 0 })
    })
}

fn bcd(number: u8) -> u8 {
    ((number / 10 % 10) << 4) | (number % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_told_as_they_were_written() {
        let mcn = Q::mcn(Control::AUDIO, b"4012345678901", Lba(7));
        assert_eq!((mcn.told_mcn(), mcn.told_isrc()), (Some(*b"4012345678901"), None));
        for code in [b"DEABC2400017", b"ZZZ090123456", b"A00009999999"] {
            let isrc = Q::isrc(Control::AUDIO, code, Lba(7));
            assert_eq!((isrc.told_mcn(), isrc.told_isrc()), (None, Some(*code)));
        }
        let position = Q::position(Control::AUDIO, 1, 1, Msf::default(), Lba(0));
        assert_eq!((position.told_mcn(), position.told_isrc()), (None, None));
        let mut damaged = mcn;
        damaged.0[3] ^= 1;
        assert_eq!(damaged.told_mcn(), None);
        // No digit, no letter.
        assert_eq!(Q::new(Control::AUDIO, 2, [0xA0; 9]).told_mcn(), None);
        assert_eq!(Q::new(Control::AUDIO, 3, [0x28; 9]).told_isrc(), None);
    }
}
