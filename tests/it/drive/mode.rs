//! MODE SENSE and MODE SELECT, (6) and (10).

use crate::support::disc::patterned;
use crate::support::initiator::{Answer, Initiator};

const PAGES: [(u8, usize); 7] = [(0x01, 12), (0x08, 12), (0x0A, 12), (0x0E, 16), (0x1A, 12), (0x1D, 10), (0x2A, 32)];
const CURRENT: u8 = 0x00;
const CHANGEABLE: u8 = 0x40;
const DEFAULT: u8 = 0x80;
const SAVED: u8 = 0xC0;

fn sense_6(page: u8, subpage: u8, allocation: u8) -> [u8; 6] {
    [0x1A, 0, page, subpage, allocation, 0]
}

fn sense_10(page: u8, subpage: u8, allocation: u16) -> [u8; 10] {
    let [high, low] = allocation.to_be_bytes();
    [0x5A, 0, page, subpage, 0, 0, 0, high, low, 0]
}

/// The pages that MODE SENSE (10) returns, without the header.
fn pages(guest: &Initiator, page: u8) -> Vec<u8> {
    guest.run(&sense_10(page, 0, 512), 512).good()[8..].to_vec()
}

/// MODE SELECT (10) of the given pages, with an empty header.
fn select(guest: &Initiator, pages: &[&[u8]]) -> Answer {
    let list = [&[0; 8][..], &pages.concat()].concat();
    guest.send(&[0x55, 0x10, 0, 0, 0, 0, 0, 0, list.len() as u8, 0], 0, &list)
}

/// Key, code and qualifier, and the field pointer.
fn fault(answer: &Answer) -> ((u8, u8, u8), [u8; 3]) {
    (answer.kaq(), answer.sense[15..18].try_into().unwrap())
}

fn guest() -> Initiator {
    Initiator::with(patterned(1, 300)).1
}

#[test]
fn all_pages_come_in_order_with_true_lengths_in_both_forms() {
    let guest = guest();
    let ten = guest.run(&sense_10(0x3F, 0, 512), 512).good();
    assert_eq!(ten[..8], [0, ten.len() as u8 - 2, 0, 0, 0, 0, 0, 0]);
    let six = guest.run(&sense_6(0x3F, 0, 255), 255).good();
    assert_eq!(six[..4], [six.len() as u8 - 1, 0, 0, 0]);
    assert_eq!(six[4..], ten[8..]);
    let mut rest = &ten[8..];
    for (code, len) in PAGES {
        let (page, after) = rest.split_at(len);
        assert_eq!(page[..2], [code, len as u8 - 2]);
        assert_eq!(pages(&guest, code), page, "page {code:02x} alone");
        rest = after;
    }
    assert!(rest.is_empty());
}

#[test]
fn every_allocation_length_cuts_the_same_answer() {
    let guest = guest();
    let whole = guest.run(&sense_10(0x2A, 0, 512), 512).good();
    for allocation in 0..=60 {
        let ten = guest.run(&sense_10(0x2A, 0, allocation), 64);
        assert_eq!(ten.residual, 64 - ten.data.len());
        assert_eq!(ten.good(), whole[..usize::from(allocation).min(40)]);
    }
    assert_eq!(guest.run(&sense_6(0x2A, 0, 5), 64).good(), [35, 0, 0, 0, 0x2A]);
    assert!(guest.run(&sense_6(0x2A, 0, 0), 64).good().is_empty());
}

#[test]
fn dbd_and_llbaa_make_no_difference_where_there_are_no_descriptors() {
    let guest = guest();
    let plain = guest.run(&sense_10(0x0A, 0, 64), 64).good();
    let mut cdb = sense_10(0x0A, 0, 64);
    cdb[1] = 0x18;
    assert_eq!(guest.run(&cdb, 64).good(), plain);
}

#[test]
fn pages_subpages_and_controls_that_do_not_exist_are_refused() {
    let guest = guest();
    for page in 0..0x3F {
        let known = PAGES.iter().any(|&(code, _)| code == page);
        let answer = guest.run(&sense_10(page, 0, 512), 512);
        assert_eq!(answer.status == 0, known, "page {page:02x}");
        if !known {
            assert_eq!(fault(&answer), ((5, 0x24, 0), [0xCD, 0, 2]));
        }
    }
    for page in [0x0A, 0x3F] {
        assert_eq!(guest.run(&sense_6(page, 0xFF, 255), 255).good(), guest.run(&sense_6(page, 0, 255), 255).good());
        assert_eq!(fault(&guest.run(&sense_6(page, 1, 255), 255)), ((5, 0x24, 0), [0xC0, 0, 3]));
    }
    assert_eq!(guest.run(&sense_10(SAVED | 0x0A, 0, 64), 64).kaq(), (5, 0x39, 0));
}

#[test]
fn exactly_the_changeable_bits_can_be_changed() {
    let guest = guest();
    for (code, len) in PAGES {
        let before = pages(&guest, CURRENT | code);
        let changeable = pages(&guest, CHANGEABLE | code);
        assert_eq!(changeable[..2], [code, len as u8 - 2]);
        for bit in 16..len * 8 {
            let (byte, mask) = (bit / 8, 0x80 >> (bit % 8));
            let mut page = before.clone();
            page[byte] ^= mask;
            let answer = select(&guest, &[&page]);
            if changeable[byte] & mask != 0 {
                answer.good();
                assert_eq!(pages(&guest, CURRENT | code), page);
                assert_eq!(pages(&guest, DEFAULT | code), before, "the default stays");
                // Back to what it was, in the sense format that this left behind.
                assert_eq!(select(&guest, &[&before]).status, 0);
            } else {
                let pointer = [0x88 | (7 - bit % 8) as u8, 0, 8 + byte as u8];
                assert_eq!(fault(&answer), ((5, 0x26, 0), pointer), "page {code:02x} byte {byte}");
                assert_eq!(pages(&guest, CURRENT | code), before);
            }
        }
    }
}

#[test]
fn a_list_with_any_fault_changes_nothing() {
    let guest = guest();
    let before = pages(&guest, 0x3F);
    let good = &[0x01, 0x0A, 0x05, 9, 0, 0, 0, 0, 0, 0, 0, 0][..];
    for (bad, kaq, pointer) in [
        (&[0x08, 0x0A, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0][..], (5, 0x26, 0), [0x8A, 0, 22]),
        (&[0x07, 0x0A, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], (5, 0x26, 0), [0x8D, 0, 20]),
        (&[0x4A, 0x01, 0, 0], (5, 0x26, 0), [0x8E, 0, 20]),
        (&[0x08, 0x09, 0, 0, 0, 0, 0, 0, 0, 0, 0], (5, 0x26, 0), [0x8F, 0, 21]),
        (&[0x08, 0x0A, 0, 0, 0, 0, 0, 0, 0, 0, 0], (5, 0x1A, 0), [0, 0, 0]),
        (&[0x08], (5, 0x1A, 0), [0, 0, 0]),
    ] {
        assert_eq!(fault(&select(&guest, &[good, bad])), (kaq, pointer), "{bad:02x?}");
        assert_eq!(pages(&guest, 0x3F), before);
    }
    select(&guest, &[good, &before[12..24]]).good();
    assert_eq!(pages(&guest, 0x01), good);
}

#[test]
fn headers_and_block_descriptors_are_checked_in_both_forms() {
    let guest = guest();
    let six = |list: &[u8]| guest.send(&[0x15, 0x10, 0, 0, list.len() as u8, 0], 0, list);
    let ten = |list: &[u8]| guest.send(&[0x55, 0x10, 0, 0, 0, 0, 0, 0, list.len() as u8, 0], 0, list);
    assert_eq!((six(&[]).status, six(&[0; 4]).status), (0, 0));
    assert_eq!((ten(&[]).status, ten(&[0; 8]).status), (0, 0));
    for len in 1..8 {
        assert_eq!(ten(&[0; 8][..len]).kaq(), (5, 0x1A, 0));
        assert!(len > 3 || six(&[0; 8][..len]).kaq() == (5, 0x1A, 0));
    }
    // One descriptor: block length 2,048 only.
    assert_eq!(six(&[0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 8, 0]).status, 0);
    assert_eq!(ten(&[0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 8, 0]).status, 0);
    assert_eq!(fault(&six(&[0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 2, 0])), ((5, 0x26, 0), [0x80, 0, 9]));
    assert_eq!(fault(&ten(&[0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 9, 0x30])), ((5, 0x26, 0), [0x80, 0, 13]));
    assert_eq!(six(&[0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 8]).kaq(), (5, 0x1A, 0));
    assert_eq!(fault(&six(&[0, 0, 0, 16])), ((5, 0x26, 0), [0x80, 0, 3]));
    assert_eq!(fault(&ten(&[0, 0, 0, 0, 0, 0, 1, 0])), ((5, 0x26, 0), [0x80, 0, 6]));
    assert_eq!(fault(&ten(&[0, 0, 0, 0, 1, 0, 0, 16])), ((5, 0x26, 0), [0x88, 0, 4]));
}

#[test]
fn pf_is_needed_and_saving_is_refused() {
    let guest = guest();
    assert_eq!(fault(&guest.send(&[0x55, 0, 0, 0, 0, 0, 0, 0, 8, 0], 0, &[0; 8])), ((5, 0x24, 0), [0xCC, 0, 1]));
    assert_eq!(fault(&guest.send(&[0x15, 0x11, 0, 0, 4, 0], 0, &[0; 4])), ((5, 0x24, 0), [0xC8, 0, 1]));
}

#[test]
fn a_list_that_did_not_arrive_whole_changes_nothing() {
    let guest = guest();
    let list = [0, 0, 0, 0, 0x01, 0x0A, 0x05, 9, 0, 0, 0, 0, 0, 0, 0, 0];
    let answer = guest.send(&[0x15, 0x10, 0, 0, 17, 0], 0, &list);
    assert!(answer.overrun);
    assert_eq!(pages(&guest, 0x01)[3], 0);
    assert_eq!(guest.send(&[0x15, 0x10, 0, 0, 16, 0], 0, &list).residual, 0);
    assert_eq!(pages(&guest, 0x01)[3], 9);
}

#[test]
fn the_others_learn_of_a_change_once_and_only_of_a_change() {
    let guest = guest();
    let other = guest.other(7);
    other.settle();
    let page = [0x01, 0x0A, 0x01, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    select(&guest, &[&page]).good();
    select(&guest, &[&page]).good();
    assert_eq!(other.run(&[0; 6], 0).kaq(), (6, 0x2A, 1));
    assert_eq!(other.run(&[0; 6], 0).status, 0);
    assert_eq!(guest.run(&[0; 6], 0).status, 0);
    select(&guest, &[&page]).good();
    assert_eq!(other.run(&[0; 6], 0).status, 0);
}

#[test]
fn d_sense_switches_the_format_until_a_reset() {
    let (drive, guest) = Initiator::with(patterned(1, 300));
    let past_the_end = [0x28, 0, 0, 1, 0, 0, 0, 0, 1, 0];
    assert_eq!(guest.run(&past_the_end, 2048).sense[0] & 0x7F, 0x70);
    select(&guest, &[&[0x0A, 0x0A, 0x06, 0, 0, 0, 0, 0, 0, 0, 0, 0]]).good();
    let answer = guest.run(&past_the_end, 2048);
    assert_eq!((answer.sense[0], answer.kaq()), (0x72, (5, 0x21, 0)));
    spindle::scsi::LogicalUnit::reset(&*drive, spindle::scsi::Reset::LogicalUnit);
    let answer = guest.run(&[0; 6], 0);
    assert_eq!((answer.sense[0], answer.kaq()), (0x70, (6, 0x29, 0)));
}

#[test]
fn the_capabilities_page_tells_the_state_of_the_lock() {
    let guest = guest();
    assert_eq!(pages(&guest, 0x2A)[6], 0x29);
    guest.run(&[0x1E, 0, 0, 0, 1, 0], 0).good();
    assert_eq!(pages(&guest, 0x2A)[6], 0x2B);
    assert_eq!(pages(&guest, CHANGEABLE | 0x2A)[2..], [0; 30]);
    // What it says now is no change.
    select(&guest, &[&pages(&guest, 0x2A)]).good();
}

#[test]
fn the_pages_say_what_the_standards_and_linux_expect() {
    let guest = guest();
    assert_eq!(pages(&guest, 0x0E), [0x0E, 14, 4, 0, 0, 0, 0, 0, 1, 255, 2, 255, 0, 0, 0, 0]);
    assert_eq!(pages(&guest, 0x0A)[2], 0x02);
    assert_eq!(pages(&guest, 0x1D)[6..10], [0, 30, 0, 30]);
    let capabilities = pages(&guest, 0x2A);
    assert_eq!(capabilities[2..6], [0x1B, 0, 0x71, 0x7F]);
    assert_eq!((capabilities[7], &capabilities[10..12]), (0x03, &[1, 0][..]), "volumes and mutes of 256 levels");
    assert_eq!(capabilities[8..10], 9_173_u16.to_be_bytes());
    assert_eq!(capabilities[30..32], [0, 0], "no write speed descriptors");
}
