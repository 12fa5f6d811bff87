//! INQUIRY: standard data and vital product data.

use crate::support::initiator::Initiator;

/// INQUIRY with `flags` in byte 1, a page code and an allocation length.
fn inquiry(flags: u8, page: u8, allocation: u16) -> [u8; 6] {
    let [high, low] = allocation.to_be_bytes();
    [0x12, flags, page, high, low, 0]
}

#[test]
fn standard_data_describe_an_mmc_device_with_its_names() {
    let (_drive, guest) = Initiator::fresh();
    let data = guest.run(&inquiry(0, 0, 255), 255).good();
    assert_eq!(data.len(), 96);
    assert_eq!(data[..8], [0x05, 0x80, 0x06, 0x12, 91, 0, 0, 0x02]);
    assert_eq!(&data[8..36], b"SPINDLE Virtual Optical 0.1 ");
    assert!(data[36..58].iter().all(|&byte| byte == 0));
    assert_eq!(data[58..66], [0x00, 0xA0, 0x04, 0x60, 0x04, 0xE0, 0, 0]);
    assert!(data[66..].iter().all(|&byte| byte == 0));
}

#[test]
fn the_list_of_vpd_pages_is_what_answers() {
    let (_drive, guest) = Initiator::fresh();
    let list = guest.run(&inquiry(1, 0, 255), 255).good();
    assert_eq!(list[..4], [0x05, 0x00, 0, 3]);
    for page in 0..=255 {
        let answer = guest.run(&inquiry(1, page, 0xFFFF), 512);
        if list[4..].contains(&page) {
            let data = answer.good();
            assert_eq!((data[0], data[1]), (0x05, page));
            assert_eq!(usize::from(u16::from_be_bytes([data[2], data[3]])), data.len() - 4, "page {page:02x}");
        } else {
            assert_eq!(answer.kaq(), (5, 0x24, 0), "page {page:02x}");
            assert_eq!(answer.sense[15..18], [0xC0, 0, 2]);
            assert!(answer.data.is_empty());
        }
    }
}

#[test]
fn serial_number_and_designator_name_the_drive() {
    let (_drive, guest) = Initiator::fresh();
    assert_eq!(guest.run(&inquiry(1, 0x80, 255), 255).good(), b"\x05\x80\x00\x06SP-cd0");
    let designators = guest.run(&inquiry(1, 0x83, 255), 255).good();
    // ASCII; association: logical unit; type 1: T10 vendor ID.
    assert_eq!(designators[4..8], [0x02, 0x01, 0, 30]);
    assert_eq!(&designators[8..], b"SPINDLE Virtual Optical SP-cd0");
}

#[test]
fn only_fields_that_mean_something_are_accepted() {
    let (_drive, guest) = Initiator::fresh();
    let answer = guest.run(&inquiry(0, 0x80, 255), 255);
    assert_eq!((answer.kaq(), &answer.sense[15..18]), ((5, 0x24, 0), &[0xC0, 0, 2][..]));
    let answer = guest.run(&inquiry(2, 0, 255), 255);
    assert_eq!((answer.kaq(), &answer.sense[15..18]), ((5, 0x24, 0), &[0xC9, 0, 1][..]));
}

#[test]
fn the_allocation_length_cuts_and_has_two_bytes() {
    let (_drive, guest) = Initiator::fresh();
    let whole = guest.run(&inquiry(0, 0, 0xFFFF), 300).good();
    assert_eq!(whole.len(), 96);
    for allocation in [0, 1, 5, 36, 95, 96, 97, 256] {
        let answer = guest.run(&inquiry(0, 0, allocation), 300);
        assert_eq!(answer.residual, 300 - usize::from(allocation).min(96));
        assert_eq!(answer.good(), whole[..usize::from(allocation).min(96)]);
    }
}

#[test]
fn neither_unit_attention_nor_missing_medium_matter() {
    let (_drive, guest) = Initiator::fresh();
    assert_eq!(guest.run(&inquiry(0, 0, 96), 96).status, 0);
    assert_eq!(guest.run(&inquiry(1, 0x83, 96), 96).status, 0);
    assert_eq!(guest.run(&[0; 6], 0).kaq(), (6, 0x29, 0), "the attention is still there");
    assert_eq!(guest.run(&inquiry(0, 0, 96), 96).status, 0);
}
