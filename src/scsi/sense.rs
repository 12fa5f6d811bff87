//! Sense data (SPC-6, 4.4).

/// Sense key (SPC-6, table "Sense key descriptions").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
#[expect(missing_docs, reason = "the names are the standard's")]
pub enum SenseKey {
    NoSense = 0x0,
    NotReady = 0x2,
    MediumError = 0x3,
    HardwareError = 0x4,
    IllegalRequest = 0x5,
    UnitAttention = 0x6,
    DataProtect = 0x7,
    BlankCheck = 0x8,
    AbortedCommand = 0xB,
    Miscompare = 0xE,
}

/// How sense data are laid out: the D_SENSE bit of the Control mode page, or DESC of REQUEST SENSE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SenseFormat {
    /// Response code 70h.
    #[default]
    Fixed,
    /// Response code 72h.
    Descriptor,
}

/// One reason, before it is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sense {
    /// Sense key.
    pub key: SenseKey,
    /// Additional sense code.
    pub asc: u8,
    /// Additional sense code qualifier.
    pub ascq: u8,
    /// INFORMATION: usually the block at fault.
    pub information: Option<u64>,
    /// Incorrect length indicator.
    pub ili: bool,
    /// Sense-key specific bytes, SKSV included in the first: the field at fault, or progress.
    pub specific: Option<[u8; 3]>,
}

impl Sense {
    /// `key/asc/ascq` and nothing more.
    #[must_use]
    pub const fn new(key: SenseKey, asc: u8, ascq: u8) -> Self {
        Self { key, asc, ascq, information: None, ili: false, specific: None }
    }

    /// 00/00/00: nothing to report.
    pub const NONE: Self = Self::new(SenseKey::NoSense, 0x00, 0x00);
    /// 02/3A/01 MEDIUM NOT PRESENT - TRAY CLOSED.
    pub const NO_MEDIUM_TRAY_CLOSED: Self = Self::new(SenseKey::NotReady, 0x3A, 0x01);
    /// 02/3A/02 MEDIUM NOT PRESENT - TRAY OPEN.
    pub const NO_MEDIUM_TRAY_OPEN: Self = Self::new(SenseKey::NotReady, 0x3A, 0x02);
    /// 05/1A/00 PARAMETER LIST LENGTH ERROR.
    pub const PARAMETER_LIST_LENGTH: Self = Self::new(SenseKey::IllegalRequest, 0x1A, 0x00);
    /// 05/20/00 INVALID COMMAND OPERATION CODE.
    pub const INVALID_OPCODE: Self = Self::new(SenseKey::IllegalRequest, 0x20, 0x00);
    /// 05/21/00 LOGICAL BLOCK ADDRESS OUT OF RANGE.
    pub const LBA_OUT_OF_RANGE: Self = Self::new(SenseKey::IllegalRequest, 0x21, 0x00);
    /// 05/24/00 INVALID FIELD IN CDB. Prefer [`invalid_cdb_byte`](Self::invalid_cdb_byte), which says where.
    pub const INVALID_FIELD_IN_CDB: Self = Self::new(SenseKey::IllegalRequest, 0x24, 0x00);
    /// 05/25/00 LOGICAL UNIT NOT SUPPORTED.
    pub const LUN_NOT_SUPPORTED: Self = Self::new(SenseKey::IllegalRequest, 0x25, 0x00);
    /// 05/26/00 INVALID FIELD IN PARAMETER LIST.
    pub const INVALID_FIELD_IN_PARAMETERS: Self = Self::new(SenseKey::IllegalRequest, 0x26, 0x00);
    /// 05/2C/00 COMMAND SEQUENCE ERROR.
    pub const COMMAND_SEQUENCE: Self = Self::new(SenseKey::IllegalRequest, 0x2C, 0x00);
    /// 05/30/00 INCOMPATIBLE MEDIUM INSTALLED.
    pub const INCOMPATIBLE_MEDIUM: Self = Self::new(SenseKey::IllegalRequest, 0x30, 0x00);
    /// 05/30/02 CANNOT READ MEDIUM - INCOMPATIBLE FORMAT.
    pub const INCOMPATIBLE_FORMAT: Self = Self::new(SenseKey::IllegalRequest, 0x30, 0x02);
    /// 05/39/00 SAVING PARAMETERS NOT SUPPORTED.
    pub const SAVING_NOT_SUPPORTED: Self = Self::new(SenseKey::IllegalRequest, 0x39, 0x00);
    /// 05/53/02 MEDIUM REMOVAL PREVENTED.
    pub const REMOVAL_PREVENTED: Self = Self::new(SenseKey::IllegalRequest, 0x53, 0x02);
    /// 05/64/00 ILLEGAL MODE FOR THIS TRACK.
    pub const ILLEGAL_MODE_FOR_TRACK: Self = Self::new(SenseKey::IllegalRequest, 0x64, 0x00);
    /// 05/6F/01 COPY PROTECTION KEY EXCHANGE FAILURE - KEY NOT PRESENT.
    pub const KEY_NOT_PRESENT: Self = Self::new(SenseKey::IllegalRequest, 0x6F, 0x01);
    /// 02/04/01 LOGICAL UNIT IS IN PROCESS OF BECOMING READY.
    pub const BECOMING_READY: Self = Self::new(SenseKey::NotReady, 0x04, 0x01);
    /// 04/53/00 MEDIA LOAD OR EJECT FAILED.
    pub const EJECT_FAILED: Self = Self::new(SenseKey::HardwareError, 0x53, 0x00);
    /// 06/28/00 NOT READY TO READY CHANGE, MEDIUM MAY HAVE CHANGED.
    pub const MEDIUM_MAY_HAVE_CHANGED: Self = Self::new(SenseKey::UnitAttention, 0x28, 0x00);
    /// 06/29/00 POWER ON, RESET, OR BUS DEVICE RESET OCCURRED.
    pub const RESET_OCCURRED: Self = Self::new(SenseKey::UnitAttention, 0x29, 0x00);
    /// 06/2A/01 MODE PARAMETERS CHANGED.
    pub const MODE_PARAMETERS_CHANGED: Self = Self::new(SenseKey::UnitAttention, 0x2A, 0x01);
    /// 06/3A/00 MEDIUM NOT PRESENT, as a unit attention: the medium was removed.
    pub const MEDIUM_REMOVED: Self = Self::new(SenseKey::UnitAttention, 0x3A, 0x00);
    /// 0B/44/00 INTERNAL TARGET FAILURE, with the key of what may be tried again.
    pub const INTERNAL_FAILURE: Self = Self::new(SenseKey::AbortedCommand, 0x44, 0x00);
    /// 0E/1D/00 MISCOMPARE DURING VERIFY OPERATION.
    pub const MISCOMPARE: Self = Self::new(SenseKey::Miscompare, 0x1D, 0x00);

    /// 03/11/00 UNRECOVERED READ ERROR at a block.
    #[must_use]
    pub fn unrecovered_read(block: u64) -> Self {
        Self { information: Some(block), ..Self::new(SenseKey::MediumError, 0x11, 0x00) }
    }

    /// 05/24/00 with a pointer to the CDB byte at fault (SPC-6, field pointer sense-key specific data).
    #[must_use]
    pub fn invalid_cdb_byte(byte: u16) -> Self {
        let [high, low] = byte.to_be_bytes();
        Self { specific: Some([0xC0, high, low]), ..Self::INVALID_FIELD_IN_CDB }
    }

    /// As [`invalid_cdb_byte`](Self::invalid_cdb_byte), with the most significant bit of the field.
    #[must_use]
    pub fn invalid_cdb_bit(byte: u16, bit: u8) -> Self {
        let [high, low] = byte.to_be_bytes();
        Self { specific: Some([0xC8 | bit & 7, high, low]), ..Self::INVALID_FIELD_IN_CDB }
    }

    /// 05/26/00 with a pointer to the byte of the parameter list at fault.
    #[must_use]
    pub fn invalid_parameter_byte(byte: u16) -> Self {
        let [high, low] = byte.to_be_bytes();
        Self { specific: Some([0x80, high, low]), ..Self::INVALID_FIELD_IN_PARAMETERS }
    }

    /// As [`invalid_parameter_byte`](Self::invalid_parameter_byte), with the most significant bit of the field.
    #[must_use]
    pub fn invalid_parameter_bit(byte: u16, bit: u8) -> Self {
        let [high, low] = byte.to_be_bytes();
        Self { specific: Some([0x88 | bit & 7, high, low]), ..Self::INVALID_FIELD_IN_PARAMETERS }
    }

    /// Lays the reason out; returns the bytes and how many of them count.
    #[must_use]
    pub fn encode(&self, format: SenseFormat) -> ([u8; 32], usize) {
        match format {
            SenseFormat::Fixed => self.encode_fixed(),
            SenseFormat::Descriptor => self.encode_descriptor(),
        }
    }

    /// SPC-6, 4.4.3.
    fn encode_fixed(&self) -> ([u8; 32], usize) {
        let mut data = [0; 32];
        data[0] = 0x70;
        // An address that does not fit four bytes cannot be reported here: VALID stays clear.
        if let Some(information) = self.information.and_then(|value| u32::try_from(value).ok()) {
            data[0] |= 0x80;
            data[3..7].copy_from_slice(&information.to_be_bytes());
        }
        data[2] = self.key as u8 | if self.ili { 0x20 } else { 0 };
        data[7] = 10;
        data[12] = self.asc;
        data[13] = self.ascq;
        if let Some(specific) = self.specific {
            data[15..18].copy_from_slice(&specific);
        }
        (data, 18)
    }

    /// SPC-6, 4.4.2: the descriptors are information (00h), sense-key specific (02h), block commands (05h: ILI).
    fn encode_descriptor(&self) -> ([u8; 32], usize) {
        let mut data = [0; 32];
        data[0] = 0x72;
        data[1] = self.key as u8;
        data[2] = self.asc;
        data[3] = self.ascq;
        let mut len = 8;
        if let Some(information) = self.information {
            data[len..len + 4].copy_from_slice(&[0x00, 0x0A, 0x80, 0]);
            data[len + 4..len + 12].copy_from_slice(&information.to_be_bytes());
            len += 12;
        }
        if let Some(specific) = self.specific {
            data[len..len + 2].copy_from_slice(&[0x02, 0x06]);
            data[len + 4..len + 7].copy_from_slice(&specific);
            len += 8;
        }
        if self.ili {
            data[len..len + 4].copy_from_slice(&[0x05, 0x02, 0, 0x20]);
            len += 4;
        }
        data[7] = (len - 8) as u8;
        (data, len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_formats_hold_the_same_reason() {
        let sense = Sense { ili: true, ..Sense::unrecovered_read(0x1234) };
        let (fixed, len) = sense.encode(SenseFormat::Fixed);
        assert_eq!(fixed[..len], [0xF0, 0, 0x23, 0, 0, 0x12, 0x34, 10, 0, 0, 0, 0, 0x11, 0, 0, 0, 0, 0]);
        let (descriptor, len) = sense.encode(SenseFormat::Descriptor);
        assert_eq!(descriptor[..8], [0x72, 3, 0x11, 0, 0, 0, 0, 16]);
        assert_eq!(descriptor[8..len], [0, 10, 0x80, 0, 0, 0, 0, 0, 0, 0, 0x12, 0x34, 5, 2, 0, 0x20]);
    }

    #[test]
    fn everything_at_once_fits() {
        let sense = Sense { ili: true, information: Some(u64::MAX), ..Sense::invalid_cdb_bit(3, 7) };
        assert_eq!(sense.encode(SenseFormat::Descriptor).1, 32);
        assert_eq!(sense.encode(SenseFormat::Fixed).0[0], 0x70);
        assert_eq!(sense.encode(SenseFormat::Fixed).0[15..18], [0xCF, 0, 3]);
    }
}
