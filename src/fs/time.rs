//! Dates on discs.

use std::fmt;

/// A date and time with its distance from UTC. Every field is in its range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timestamp {
    /// 1 to 9999.
    pub year: u16,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59.
    pub second: u8,
    /// Minutes east of UTC.
    pub offset: i16,
}

impl Timestamp {
    /// The date in 7 bytes: years since 1900, ..., quarter hours from UTC (ECMA-119, 9.1.5). All zeros is none.
    pub(super) fn from_iso_short(field: &[u8]) -> Option<Self> {
        let &[year, month, day, hour, minute, second, zone, ..] = field else { return None };
        Self::checked(1900 + u16::from(year), [month, day, hour, minute, second], quarters(zone))
    }

    /// The date in 17 bytes: digits, hundredths, quarter hours from UTC (ECMA-119, 8.4.26.1). All digits zero is none.
    pub(super) fn from_iso_long(field: &[u8]) -> Option<Self> {
        let digits = |range| std::str::from_utf8(field.get(range)?).ok()?.parse::<u16>().ok();
        let two = |at: usize| digits(at..at + 2).and_then(|value| u8::try_from(value).ok());
        let zone = quarters(*field.get(16)?);
        Self::checked(digits(0..4)?, [two(4)?, two(6)?, two(8)?, two(10)?, two(12)?], zone)
    }

    /// The `timestamp` of ECMA-167, 1/7.3.
    pub(super) fn from_udf(field: &[u8]) -> Option<Self> {
        let &[zone_low, zone_high, year_low, year_high, month, day, hour, minute, second, ..] = field else {
            return None;
        };
        // 12 bits, signed; -2047 says that the distance from UTC is not known.
        let zone = (i16::from_le_bytes([zone_low, zone_high]) << 4) >> 4;
        let zone = if (-1440..=1440).contains(&zone) { zone } else { 0 };
        Self::checked(u16::from_le_bytes([year_low, year_high]), [month, day, hour, minute, second], zone)
    }

    /// Seconds since 1970-01-01 00:00 UTC.
    #[must_use]
    pub fn unix(&self) -> i64 {
        // Days from the civil calendar, counting years from March.
        let early = i64::from(self.month <= 2);
        let year = i64::from(self.year) - early;
        let month = i64::from(self.month) + 12 * early - 3;
        let days =
            365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + i64::from(self.day) - 719_469;
        let minutes = days * 1440 + i64::from(self.hour) * 60 + i64::from(self.minute) - i64::from(self.offset);
        minutes * 60 + i64::from(self.second)
    }

    fn checked(year: u16, [month, day, hour, minute, second]: [u8; 5], offset: i16) -> Option<Self> {
        let valid = (1..=9999).contains(&year)
            && (1..=12).contains(&month)
            && (1..=31).contains(&day)
            && hour < 24
            && minute < 60
            && second < 60;
        valid.then_some(Self { year, month, day, hour, minute, second, offset })
    }
}

/// Quarter hours from UTC as minutes; what is out of -12 h to +13 h is taken as 0, as other readers do.
fn quarters(zone: u8) -> i16 {
    let zone = i16::from(zone as i8);
    if (-48..=52).contains(&zone) { zone * 15 } else { 0 }
}

impl fmt::Display for Timestamp {
    /// RFC 3339.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { year, month, day, hour, minute, second, offset } = self;
        let sign = if *offset < 0 { '-' } else { '+' };
        let (hours, minutes) = (offset.unsigned_abs() / 60, offset.unsigned_abs() % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{sign}{hours:02}:{minutes:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_in_all_three_forms() {
        let short = Timestamp::from_iso_short(&[126, 11, 23, 7, 31, 6, 4]).unwrap();
        assert_eq!(short.to_string(), "2026-11-23T07:31:06+01:00");
        assert_eq!(short.unix(), 1_795_415_466);
        assert_eq!(Timestamp::from_iso_long(b"2026112307310600\x04"), Some(short));
        let udf = [0x3C, 0x10, 0xEA, 0x07, 11, 23, 7, 31, 6, 0, 0, 0];
        assert_eq!(Timestamp::from_udf(&udf), Some(short));
        assert_eq!(Timestamp::from_iso_short(&[70, 1, 1, 0, 0, 0, 0]).unwrap().unix(), 0);
        assert_eq!(Timestamp::from_iso_short(&[100, 2, 29, 0, 0, 0, 0]).unwrap().unix(), 951_782_400);
    }

    #[test]
    fn what_is_no_date_is_none() {
        assert_eq!(Timestamp::from_iso_short(&[0; 7]), None);
        assert_eq!(Timestamp::from_iso_long(&[b'0'; 17]), None);
        assert_eq!(Timestamp::from_iso_long(b"2026"), None);
        assert_eq!(Timestamp::from_udf(&[0xFF; 12]), None);
    }
}
