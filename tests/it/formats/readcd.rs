//! What `readcd -clone` writes.

use spindle::disc::Lba;
use spindle::disc::TrackMode::{Audio, Mode1};
use spindle::image::ImageErrorKind;

use crate::support::image::{every_prefix, open, sector, tracks};

/// Session, CONTROL, point, address.
pub fn toc(entries: &[(u8, u8, u8, i32)]) -> Vec<u8> {
    let mut out = ((entries.len() * 11 + 2) as u16).to_be_bytes().to_vec();
    out.extend([1, 2]);
    for (session, control, point, lba) in entries {
        let frames = lba + 150;
        let place = [(frames / 4500) as u8, (frames / 75 % 60) as u8, (frames % 75) as u8];
        out.extend([&[*session, 0x10 | control, 0, *point, 0, 0, 0, 0][..], &place].concat());
    }
    out.extend([1, 1]);
    out
}

/// Data, then sound after the gap between them.
pub fn disc() -> (Vec<u8>, Vec<u8>) {
    let toc = toc(&[(1, 4, 0xA0, 4350), (1, 0, 0xA1, 9000), (1, 0, 0xA2, 164), (1, 4, 1, 0), (1, 0, 2, 160)]);
    let data = (0..164_u32).flat_map(|lba| {
        let mut sector = vec![lba as u8; 2352];
        if lba < 10 {
            sector[..12].copy_from_slice(&[0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0]);
            sector[12..16].copy_from_slice(&[0, 2, lba as u8, 1]);
        }
        sector.extend([0x40; 96]);
        sector
    });
    (toc, data.collect())
}

#[test]
fn sectors_lie_by_their_address_with_their_subchannel() {
    let (toc, data) = disc();
    for odd in [&[][..], &[0]] {
        let toc = [&toc, odd].concat();
        let opened = open("disc.toc", &toc, &[("disc", &data)]).unwrap();
        assert_eq!(opened.format.id, "readcd");
        assert_eq!(tracks(&opened), [(1, Mode1, -150, 0, 10), (2, Audio, 10, 160, 164)]);
        assert_eq!(sector(&opened, 163), [163; 2352]);
        assert_eq!(sector(&opened, 9)[..], data[9 * 2448..][..2352]);
        assert_eq!(opened.disc.read_subchannel(Lba(5)).unwrap()[12..24], [0xFF; 12]);
    }
}

#[test]
fn what_no_toc_can_be_is_refused() {
    let (_, data) = disc();
    let back = toc(&[(1, 4, 0xA0, 0), (1, 0, 0xA2, 20), (1, 4, 1, 0), (1, 4, 2, 30)]);
    let open_lead = toc(&[(1, 4, 0xA0, 0), (1, 0, 0xA2, 20), (1, 4, 1, 0), (2, 4, 2, 3)]);
    for bytes in [back, open_lead] {
        let error = open("disc.toc", &bytes, &[("disc", &data)]).map(|_| ()).unwrap_err();
        assert_eq!(error.kind(), ImageErrorKind::Invalid, "{error}");
    }
    let (toc, _) = disc();
    assert_eq!(open("disc.toc", &toc, &[]).map(|_| ()).unwrap_err().kind(), ImageErrorKind::Missing);
    let short = open("disc.toc", &toc, &[("disc", &data[..100 * 2448])]).unwrap();
    assert!(short.warnings[0].contains("shorter"), "{:?}", short.warnings);
    assert!(short.disc.read_sector(Lba(120), &mut [0; 2352]).is_err());
    every_prefix("disc.toc", &toc, &[("disc", &data[..4896])]);
}
