//! CCD, IMG and SUB.

use spindle::disc::TrackMode::{Audio, Mode1};
use spindle::disc::cdtext::{Kind, decode};
use spindle::disc::{Control, Lba};
use spindle::image::{ImageErrorKind, Opened, open_path};

use crate::support::image::{Files, every_prefix, open, sector, tracks};
use crate::support::inputs;

/// `[Entry n]` of a session, point, control and address.
fn entries(entries: &[(u8, u8, u8, i32)]) -> String {
    let entry = |(number, (session, point, control, lba)): (usize, &(u8, u8, u8, i32))| {
        let frames = lba + 150;
        format!(
            "[Entry {number}]\r\nSession={session}\r\nPoint=0x{point:02x}\r\nADR=0x01\r\nControl=0x{control:02x}\r\nTrackNo=0\r\n\
             AMin=0\r\nASec=0\r\nAFrame=0\r\nALBA=-150\r\nZero=0\r\nPMin={}\r\nPSec={}\r\nPFrame={}\r\nPLBA={lba}\r\n",
            frames / 4500,
            frames / 75 % 60,
            frames % 75
        )
    };
    entries.iter().enumerate().map(entry).collect()
}

const HEAD: &str =
    "[CloneCD]\r\nVersion=3\r\n[Disc]\r\nTocEntries=9\r\nSessions=2\r\nDataTracksScrambled=0\r\nCDTextLength=0\r\n";

fn data(lba: i32) -> Vec<u8> {
    let frames = lba + 150;
    let bcd = |number: i32| (number / 10 * 16 + number % 10) as u8;
    let mut sector = vec![lba as u8; 2352];
    sector[..12].copy_from_slice(&[0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0]);
    sector[12..16].copy_from_slice(&[bcd(frames / 4500), bcd(frames / 75 % 60), bcd(frames % 75), 1]);
    sector
}

/// Data, sound with a stored pre-gap, and data of a second session.
fn disc() -> (String, Vec<u8>, Vec<u8>) {
    let ccd = HEAD.to_owned()
        + &entries(&[
            (1, 0xA0, 4, 4350),
            (1, 0xA1, 0, 9000),
            (1, 0xA2, 0, 12),
            (1, 1, 4, 0),
            (1, 2, 2, 7),
            (2, 0xA0, 4, 13_350),
            (2, 0xA1, 4, 13_350),
            (2, 0xA2, 4, 11_416),
            (2, 99, 4, 11_412),
        ])
        + "[TRACK 1]\r\nMODE=1\r\nINDEX 1=0\r\n[TRACK 2]\r\nMODE=0\r\nFLAGS= DCP\r\nISRC=DEABC1234567\r\nINDEX 0=5\r\nINDEX 1=7\r\n\
           INDEX 2=9\r\n[TRACK 99]\r\nMODE=1\r\nINDEX 1=0\r\n";
    let mut img: Vec<u8> = (0..5).flat_map(data).collect();
    img.extend((5..12).flat_map(|lba| vec![lba; 2352]));
    img.extend((11_412..11_416).flat_map(data));
    let sub = (0..16).flat_map(|n: u8| vec![n; 96]).collect();
    (ccd, img, sub)
}

fn check(opened: &Opened, img: &[u8]) {
    let second = 11_412;
    assert_eq!(
        tracks(opened),
        [(1, Mode1, -150, 0, 5), (2, Audio, 5, 7, 12), (99, Mode1, second - 150, second, second + 4)]
    );
    for (at, lba) in (0..12).chain(second..second + 4).enumerate() {
        assert_eq!(sector(opened, lba)[..], img[at * 2352..][..2352], "{lba}");
    }
    let sound = opened.disc.tracks().nth(1).unwrap();
    assert_eq!((sound.control, sound.indices.as_slice()), (Control(2), &[Lba(9)][..]));
    assert_eq!(sound.isrc.as_ref(), Some(b"DEABC1234567"));
}

#[test]
fn sessions_lie_back_to_back() {
    let (ccd, img, sub) = disc();
    let whole = open("my.ccd", ccd.as_bytes(), &[("my.img", &img), ("my.sub", &sub)]).unwrap();
    check(&whole, &img);
    assert_eq!(whole.disc.read_subchannel(Lba(11_413)).unwrap(), [13; 96]);
    assert!(whole.warnings.is_empty() && whole.missing.is_empty());
}

#[test]
fn the_subchannel_may_be_missing_or_of_another_length() {
    let (ccd, img, sub) = disc();
    let without = open("my.ccd", ccd.as_bytes(), &[("MY.IMG", &img)]).unwrap();
    check(&without, &img);
    assert_eq!(without.missing, ["my.sub"]);
    let short = open("my.ccd", ccd.as_bytes(), &[("my.img", &img), ("my.sub", &sub[..900])]).unwrap();
    check(&short, &img);
    assert!(short.warnings[0].contains(".sub"), "{:?}", short.warnings);
}

#[test]
fn version_2_has_no_sections_of_tracks() {
    let (ccd, img, _) = disc();
    let old = ccd.split("[TRACK 1]").next().unwrap().replace("Version=3", "Version=2").replace("\r\n", "\n");
    let opened = open("my.ccd", old.as_bytes(), &[("my.img", &img)]).unwrap();
    let second = 11_412;
    assert_eq!(
        tracks(&opened),
        [(1, Mode1, -150, 0, 7), (2, Audio, 7, 7, 12), (99, Mode1, second - 150, second, second + 4)]
    );
}

#[test]
fn what_the_sectors_are_they_show_themselves() {
    let (ccd, img, _) = disc();
    let wrong = ccd.replace("MODE=1", "MODE=7").replace("MODE=0", "MODE=1");
    check(&open("my.ccd", wrong.as_bytes(), &[("my.img", &img)]).unwrap(), &img);
}

#[test]
fn scrambled_sectors_come_back_clear() {
    let (ccd, img, _) = disc();
    // The register of ECMA-130, annex B, bit by bit.
    let mut register = 1_u16;
    let sequence: Vec<u8> = (0..2340)
        .map(|_| {
            (0..8).fold(0, |byte, bit| {
                let out = register & 1;
                register = register >> 1 | ((register ^ register >> 1) & 1) << 14;
                byte | (out as u8) << bit
            })
        })
        .collect();
    let mut scrambled = img.clone();
    for sector in scrambled.chunks_exact_mut(2352).filter(|sector| sector[1] == 255) {
        sector[12..].iter_mut().zip(&sequence).for_each(|(byte, mix)| *byte ^= mix);
    }
    let ccd = ccd.replace("Scrambled=0", "Scrambled=1");
    check(&open("my.ccd", ccd.as_bytes(), &[("my.img", &scrambled)]).unwrap(), &img);
}

#[test]
fn text_and_catalogue_number_are_kept() {
    let (ccd, img, _) = disc();
    let packs = std::fs::read(inputs::path("libcdio/cdtext.cdt")).unwrap();
    let packs: Vec<&[u8]> = packs.chunks_exact(18).collect();
    for bytes in [16, 18] {
        let mut text = format!("[CDText]\r\nEntries={}\r\n", packs.len());
        for (number, pack) in packs.iter().enumerate() {
            let hex: Vec<String> = pack[..bytes].iter().map(|byte| format!("{byte:02x}")).collect();
            text += &format!("Entry {number}={}\r\n", hex.join(" "));
        }
        let ccd = ccd.replace("CDTextLength=0\r\n", "CDTextLength=1\r\nCATALOG=0123456789012\r\n") + &text;
        let opened = open("my.ccd", ccd.as_bytes(), &[("my.img", &img)]).unwrap();
        assert_eq!(opened.disc.sessions[0].cd_text.concat(), packs.concat());
        assert_eq!(decode(&opened.disc.sessions[0].cd_text)[0].texts[&(Kind::Title, 0)], "Joyful Nights");
        assert_eq!(opened.disc.mcn.as_ref(), Some(b"0123456789012"));
    }
}

#[test]
fn an_image_that_is_cut_off_gives_what_is_there() {
    let (ccd, img, _) = disc();
    let opened = open("my.ccd", ccd.as_bytes(), &[("my.img", &img[..9 * 2352])]).unwrap();
    assert!(opened.warnings.iter().any(|line| line.contains("shorter")), "{:?}", opened.warnings);
    assert_eq!(sector(&opened, 8), [8; 2352]);
    assert!(opened.disc.read_sector(Lba(9), &mut [0; 2352]).is_err());
    assert_eq!(tracks(&opened)[2].1, Mode1);
}

#[test]
fn what_no_ccd_can_mean_is_refused() {
    let (ccd, img, _) = disc();
    let files: Files<'_> = &[("my.img", &img)];
    for (old, new) in [
        ("PLBA=7", "PLBA=700000"),
        ("PLBA=0", "PLBA=-9"),
        ("PLBA=12\r\n", "PLBA=0\r\n"),
        ("PLBA=11412", "PLBA=3"),
        ("Point=0x01", "Point=0x63"),
    ] {
        let error = open("my.ccd", ccd.replace(old, new).as_bytes(), files).map(|_| ()).unwrap_err();
        assert_eq!(error.kind(), ImageErrorKind::Invalid, "{new}: {error}");
    }
    let error = open("my.ccd", HEAD.as_bytes(), files).map(|_| ()).unwrap_err();
    assert_eq!(error.kind(), ImageErrorKind::Invalid, "{error}");
    let error = open("my.ccd", ccd.as_bytes(), &[]).map(|_| ()).unwrap_err();
    assert_eq!(error.kind(), ImageErrorKind::Missing, "{error}");
}

#[test]
fn every_prefix_is_read_or_refused() {
    let (ccd, img, sub) = disc();
    every_prefix("my.ccd", ccd.as_bytes(), &[("my.img", &img), ("my.sub", &sub)]);
}

#[test]
fn what_convert_writes_of_a_real_disc_is_the_same_disc() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.ccd");
    let source = inputs::path("libcdio/p1.nrg");
    crate::support::host::run(
        env!("CARGO_BIN_EXE_spindle"),
        &["convert", source.to_str().unwrap(), out.to_str().unwrap()],
    );
    let (before, after) =
        (open_path(&source, &Default::default()).unwrap(), open_path(&out, &Default::default()).unwrap());
    assert_eq!(after.format.id, "ccd");
    let places = |opened: &Opened| {
        tracks(opened).into_iter().map(|track| (track.0, track.1, track.3, track.4)).collect::<Vec<_>>()
    };
    assert_eq!(places(&after), places(&before));
    assert_eq!(after.disc.sessions[0].cd_text, before.disc.sessions[0].cd_text);
    for lba in 0..302 {
        assert!(sector(&after, lba) == sector(&before, lba), "{lba}");
        assert_eq!(
            after.disc.read_subchannel(Lba(lba)).unwrap(),
            before.disc.read_subchannel(Lba(lba)).unwrap(),
            "{lba}"
        );
    }
}
