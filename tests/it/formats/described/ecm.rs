//! ECM.

use spindle::disc::Lba;

use super::{Subchannel, check, open};
use crate::support::images::described::ecm::{Record, file};
use crate::support::images::described::source_disc::Detail::{CdText, Dpm, Indices, Isrc, Mcn};
use crate::support::images::described::source_disc::{Mode, SourceDisc};
use crate::support::images::described::source_sector::{RAW, data_sector, edc, msf};

#[test]
fn a_disc_of_all_modes() {
    let tracks = [(1, Mode::Mode1, 150, 20), (1, Mode::Audio, 8, 24), (1, Mode::Mixed, 0, 20)];
    let disc = SourceDisc::cd(&tracks).without(&[CdText, Dpm, Indices, Isrc, Mcn]);
    let mut sheet = "FILE \"disc.bin\" BINARY\n".to_owned();
    let (mut data, mut records) = (Vec::new(), Vec::new());
    for track in &disc.tracks {
        let from = track.first().max(0);
        let count = (track.end() - from) as usize;
        data.extend(track.stored(from, 0..RAW, |_| Vec::new()));
        let index = |number, lba| {
            let [minute, second, frame] = msf(lba);
            format!("    INDEX {number:02} {minute:02}:{second:02}:{frame:02}\n")
        };
        let mode = match track.mode {
            Mode::Mode1 => {
                records.push(Record::Mode1(count));
                "MODE1/2352"
            }
            Mode::Form1 | Mode::Form2 | Mode::Mixed => {
                for sector in &track.sectors[(from - track.first()) as usize..] {
                    let form_2 = track.block(sector).is_none();
                    records.extend([Record::Bytes(16), if form_2 { Record::Form2(1) } else { Record::Form1(1) }]);
                }
                "MODE2/2352"
            }
            Mode::Audio => {
                records.push(Record::Bytes(count * RAW));
                "AUDIO"
            }
        };
        sheet += &format!("  TRACK {:02} {mode}\n", track.number);
        if from < track.start {
            sheet += &index(0, from);
        }
        sheet += &index(1, track.start);
    }
    let files = vec![("disc.cue".to_owned(), sheet.into_bytes()), ("disc.bin.ecm".to_owned(), file(&data, &records))];
    check("cue", "in ECM", &disc, &files, Subchannel::None);
}

#[test]
fn both_forms_and_the_same_without_records_for_sectors() {
    let mut data = Vec::new();
    let mut records = Vec::new();
    for lba in 0..60 {
        let mut user = [lba as u8; 2048];
        if lba == 16 {
            user[..6].copy_from_slice(b"\x01CD001");
        }
        let mut sector = data_sector(Mode::Form1, lba, &user);
        records.push(Record::Bytes(16));
        if lba > 20 && lba % 3 == 0 {
            sector[16..24].copy_from_slice(&[1, 2, 0x20, 3, 1, 2, 0x20, 3]);
            sector[24..2348].fill(!(lba as u8));
            let sum = edc(&sector[16..2348]).to_le_bytes();
            sector[2348..].copy_from_slice(&sum);
            records.push(Record::Form2(1));
        } else {
            records.push(Record::Form1(1));
        }
        data.extend(sector);
    }
    for records in [&records[..], &[Record::Bytes(data.len())], &[Record::Bytes(31), Record::Bytes(data.len() - 31)]] {
        let opened = open(&vec![("disc.bin.ecm".to_owned(), file(&data, records))]).unwrap();
        assert_eq!(opened.containers[0].id, "ecm");
        assert_eq!(opened.disc.tracks().map(|track| track.end).next_back(), Some(Lba(60)));
        for (lba, sector) in data.chunks(RAW).enumerate().rev() {
            let mut raw = [0; RAW];
            opened.disc.read_sector(Lba(lba as i32), &mut raw).unwrap();
            assert!(raw == sector, "{lba}");
        }
    }
}

#[test]
fn plain_blocks() {
    let data = crate::support::images::described::blocks::volume(83, 16);
    let files = vec![("disc.iso.ecm".to_owned(), file(&data, &[Record::Bytes(data.len())]))];
    super::check_volume("ecm", "blocks", &data, &files);
}
