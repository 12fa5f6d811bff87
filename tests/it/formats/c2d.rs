//! C2D, as its description has it.

use spindle::disc::TrackMode::{Audio, Mode1, Mode2Xa};
use spindle::disc::{Control, Lba};
use spindle::image::ImageErrorKind;

use crate::support::image::{blocks, every_prefix, open, sector, tracks};

/// First and last sector, offset, bytes of a sector, flags, session, track, index, mode.
type Block = (u32, u32, u64, u32, u8, u8, u8, u8, u8);

fn image(signature: &[u8], list: &[Block], sectors: &[u8]) -> Vec<u8> {
    let pack = [&[0x80, 0, 0, 0][..], b"TITLE\0......", &[0, 0]].concat();
    let mut out = signature.to_vec();
    out.resize(32, 0);
    out.extend(
        [&192_u16.to_le_bytes()[..], &[1, 0], b"0123456789012", &[9], &(list.len() as u16).to_le_bytes()].concat(),
    );
    out.extend([&18_u32.to_le_bytes()[..], &(192 + 18 + sectors.len() as u32).to_le_bytes(), &[0; 4]].concat());
    out.resize(192, b'd');
    out.extend(pack);
    out.extend(sectors);
    for (first, last, offset, size, flags, session, track, index, mode) in list {
        let offset = if *index > 1 { 0xFFFF_FFFF } else { offset + 210 };
        out.extend([44, *first, *last].map(u32::to_le_bytes).concat());
        out.extend([&offset.to_le_bytes()[..], &size.to_le_bytes(), b"DEABC1234567"].concat());
        out.extend([*flags, *session, *track, *index, *mode, 0, 0, 0]);
    }
    out
}

fn disc() -> Vec<u8> {
    let mut sectors: Vec<u8> = (0..6_u8).flat_map(|n| vec![n; 2048]).collect();
    sectors.extend((6..12_u8).flat_map(|n| [vec![n; 2352], vec![0x40; 96]].concat()));
    let second = sectors.len() as u64;
    sectors.extend((20..24_u8).flat_map(|n| vec![n; 2336]));
    let sound = 6 * 2048;
    image(
        b"Adaptec CeQuadrat VirtualCD File",
        &[
            (0, 5, 0, 2048, 4, 1, 1, 1, 1),
            (6, 7, sound, 2448, 0, 1, 2, 0, 0xFF),
            (8, 9, sound + 2 * 2448, 2448, 3, 1, 2, 1, 0xFF),
            (10, 11, 0, 2448, 3, 1, 2, 2, 0xFF),
            (11_412, 11_415, second, 2336, 4, 2, 3, 1, 2),
        ],
        &sectors,
    )
}

#[test]
fn blocks_are_the_indices_of_the_tracks() {
    let opened = open("a.c2d", &disc(), &[]).unwrap();
    let second = 11_412;
    assert_eq!(
        tracks(&opened),
        [(1, Mode1, -150, 0, 6), (2, Audio, 6, 8, 12), (3, Mode2Xa, second - 150, second, second + 4)]
    );
    assert_eq!(blocks(&opened, 5, 1), [5; 2048]);
    for (lba, byte) in [(6, 6), (8, 8), (11, 11)] {
        assert_eq!(sector(&opened, lba), [byte; 2352]);
    }
    assert_eq!(sector(&opened, second + 3)[16..], [23; 2336]);
    assert_eq!(opened.disc.read_subchannel(Lba(9)).unwrap()[12..24], [0xFF; 12]);
    let sound = opened.disc.tracks().nth(1).unwrap();
    assert_eq!((sound.control, sound.indices.as_slice()), (Control(3), &[Lba(10)][..]));
    assert_eq!((sound.isrc.as_ref(), opened.disc.mcn.as_ref()), (Some(b"DEABC1234567"), Some(b"0123456789012")));
    assert_eq!(opened.disc.sessions[0].cd_text.len(), 1);
    let roxio = image(b"Roxio Image File Format 3.0", &[(0, 1, 0, 2048, 4, 1, 1, 1, 1)], &[7; 4096]);
    assert_eq!(tracks(&open("a.c2d", &roxio, &[]).unwrap()), [(1, Mode1, -150, 0, 2)]);
}

#[test]
fn sectors_where_no_file_reaches_cannot_be_read() {
    let mut file = disc();
    // The offset of index 1 of track 2.
    let at = file.len() - 3 * 44 + 12;
    file[at..at + 8].fill(0xFF);
    let opened = open("a.c2d", &file, &[]).unwrap();
    assert!(opened.disc.read_sector(Lba(8), &mut [0; 2352]).is_err());
    assert!(opened.disc.read_subchannel(Lba(8)).is_err());
}

#[test]
fn what_no_c2d_can_be_is_refused() {
    let file = disc();
    let list = file.len() - 5 * 44;
    for (at, bytes, kind) in [
        (list + 41, &[1][..], ImageErrorKind::Unsupported),
        (list + 40, &[7], ImageErrorKind::Invalid),
        (list + 39, &[9], ImageErrorKind::Invalid),
        (list + 4, &[9], ImageErrorKind::Invalid),
        (50, &[0xFF, 0xFF], ImageErrorKind::Invalid),
        (52, &[0xFF, 0xFF, 0xFF], ImageErrorKind::Invalid),
    ] {
        crate::support::image::refused("a.c2d", &file, &[], at, bytes, kind);
    }
    every_prefix("a.c2d", &[&file[..210], &file[list..]].concat(), &[]);
    let short = image(b"Roxio Image File Format 3.0", &[(0, 9, 0, 2048, 4, 1, 1, 1, 1)], &[7; 4096]);
    every_prefix("a.c2d", &short[..300], &[]);
}
