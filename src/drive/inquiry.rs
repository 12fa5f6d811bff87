//! INQUIRY: who the drive is (SPC-4, 6.4 and 7.8).

use super::commands::{Access, Command};
use super::{Context, Identity};
use crate::scsi::{Sense, Task};

/// This topic's rows.
pub(super) static COMMANDS: &[Command] = &[Command {
    opcode: 0x12,
    service_action: None,
    name: "INQUIRY",
    standard: "SPC-4",
    access: Access::ALWAYS,
    usage: &[0x12, 0x03, 0xFF, 0xFF, 0xFF, 0],
    run: inquiry,
}];

/// Peripheral qualifier 000b, peripheral device type 05h: a CD, DVD or BD device.
const MMC_DEVICE: u8 = 0x05;
/// VERSION: SPC-4. Linux asks for VPD pages from SPC-2 (04h) on.
const VERSION: u8 = 0x06;
/// VERSION DESCRIPTORs, none claiming a revision: SAM-5, SPC-4, MMC-6.
const STANDARDS: [u16; 3] = [0x00A0, 0x0460, 0x04E0];

const SUPPORTED_VPD_PAGES: u8 = 0x00;
const UNIT_SERIAL_NUMBER: u8 = 0x80;
const DEVICE_IDENTIFICATION: u8 = 0x83;
const VPD_PAGES: [u8; 3] = [SUPPORTED_VPD_PAGES, UNIT_SERIAL_NUMBER, DEVICE_IDENTIFICATION];

/// Never touches the medium nor a unit attention (SPC-4, 6.4.1).
fn inquiry(cx: &Context<'_>, task: &mut Task<'_>) -> Result<(), Sense> {
    let identity = cx.drive.identity();
    let page = task.u8(2);
    // CMDDT is obsolete; who sets it expects command support data, not these.
    if task.u8(1) & 0x02 != 0 {
        return Err(Sense::invalid_cdb_bit(1, 1));
    }
    let data = match (task.u8(1) & 0x01 != 0, page) {
        (false, 0) => standard_data(identity).to_vec(),
        (true, SUPPORTED_VPD_PAGES) => vpd(page, &VPD_PAGES),
        (true, UNIT_SERIAL_NUMBER) => vpd(page, &graphic(&identity.serial, 20)),
        (true, DEVICE_IDENTIFICATION) => vpd(page, &t10_designator(identity)),
        _ => return Err(Sense::invalid_cdb_byte(2)),
    };
    task.reply(&data, usize::from(task.u16(3)));
    Ok(())
}

/// Standard INQUIRY data (SPC-4, 6.4.2), with all of the version descriptors' room.
fn standard_data(identity: &Identity) -> [u8; 96] {
    let mut data = [0; 96];
    data[0] = MMC_DEVICE;
    data[1] = 0x80; // RMB
    data[2] = VERSION;
    data[3] = 0x12; // HISUP, RESPONSE DATA FORMAT 2
    data[4] = data.len() as u8 - 5;
    data[7] = 0x02; // CMDQUE
    data[8..16].copy_from_slice(&padded::<8>(&identity.vendor));
    data[16..32].copy_from_slice(&padded::<16>(&identity.product));
    data[32..36].copy_from_slice(&padded::<4>(&identity.revision));
    for (slot, standard) in data[58..].chunks_exact_mut(2).zip(STANDARDS) {
        slot.copy_from_slice(&standard.to_be_bytes());
    }
    data
}

/// A vital product data page around its body.
fn vpd(page: u8, body: &[u8]) -> Vec<u8> {
    let mut data = vec![MMC_DEVICE, page, 0, body.len() as u8];
    data.extend_from_slice(body);
    data
}

/// One designation descriptor: of the logical unit, in ASCII, T10 vendor ID based, made of vendor, product and serial
/// number as SPC-4, 7.8.6.4 recommends, so that it differs wherever one of them does.
fn t10_designator(identity: &Identity) -> Vec<u8> {
    let mut name = padded::<8>(&identity.vendor).to_vec();
    name.extend_from_slice(&padded::<16>(&identity.product));
    name.extend(graphic(&identity.serial, 20));
    let mut descriptor = vec![0x02, 0x01, 0, name.len() as u8];
    descriptor.append(&mut name);
    descriptor
}

/// `text` in a field of `N` bytes: left-aligned, padded with spaces (SPC-4, 4.4.1).
fn padded<const N: usize>(text: &str) -> [u8; N] {
    let mut field = [b' '; N];
    for (slot, byte) in field.iter_mut().zip(graphic(text, N)) {
        *slot = byte;
    }
    field
}

/// At most `most` bytes of `text`, each an ASCII graphic code or a space, which is all that such a field may hold.
fn graphic(text: &str, most: usize) -> Vec<u8> {
    text.chars()
        .take(most)
        .map(|c| u8::try_from(c).ok().filter(|byte| (0x20..0x7F).contains(byte)).unwrap_or(b'?'))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(serial: &str) -> Identity {
        Identity {
            name: "any".to_owned(),
            vendor: "ACME".to_owned(),
            product: "Röhre\t1, the long one".to_owned(),
            revision: "12345".to_owned(),
            serial: serial.to_owned(),
        }
    }

    #[test]
    fn names_are_cut_padded_and_made_graphic() {
        assert_eq!(&standard_data(&identity("S"))[8..36], b"ACME    R?hre?1, the lon1234");
    }

    #[test]
    fn drives_that_differ_in_their_serial_number_alone_have_different_designators() {
        assert_eq!(&t10_designator(&identity("S-1")), b"\x02\x01\x00\x1bACME    R?hre?1, the lonS-1");
        assert_ne!(t10_designator(&identity("S-1")), t10_designator(&identity("S-2")));
    }
}
