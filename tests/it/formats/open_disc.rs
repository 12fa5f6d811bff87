//! Discs to which a session can be added: what the last lead-in says in mode 5 is kept by every format that stores lead-ins.

use spindle::disc::{FullTocEntry, Lba, NextSession};
use spindle::image::{OpenOptions, Opened, open_path};

use super::{b6t, readcd};
use crate::support::host;
use crate::support::image::open;
use crate::support::images::mds::{Session, Track, build};

/// The lead-out of one session at 20 is followed by a lead-out and lead-in of 11,250 blocks: 02:32:20. Latest lead-out 79:59:74.
const NEXT: NextSession = NextSession { program: Lba(11_270), last_lead_out: Some(Lba(359_849)) };
/// B0h and C0h with CONTROL 4 as a recorder leaves them in the first session.
const LINES: [[u8; 10]; 2] = [[0x54, 0, 0xB0, 2, 32, 20, 2, 79, 59, 74], [0x54, 0, 0xC0, 162, 128, 140, 0, 97, 27, 21]];
/// The same of a disc that is closed.
const CLOSED: [[u8; 10]; 1] = [[0x54, 0, 0xB0, 0xFF, 0xFF, 0xFF, 1, 79, 59, 74]];

fn check(format: &str, image: impl Fn(&[[u8; 10]]) -> Opened) {
    let open = image(&LINES);
    assert_eq!(open.format.id, format);
    assert_eq!(open.disc.next_session(), Some(NEXT), "{format}");
    let toc = open.disc.full_toc(1);
    let told: Vec<[u8; 11]> = toc.into_iter().filter(|line| line.point >= 0xB0).map(FullTocEntry::to_bytes).collect();
    assert_eq!(
        told,
        LINES.map(|[q, rest @ ..]| std::array::from_fn(|at| [1, q].into_iter().chain(rest).nth(at).unwrap()))
    );

    let closed = image(&CLOSED);
    assert_eq!(closed.disc.next_session(), None, "{format}");
    assert_eq!(closed.disc.full_toc(1).last().unwrap().to_bytes()[3..7], [0xB0, 0xFF, 0xFF, 0xFF]);
    assert_eq!(image(&[]).disc.next_session(), None, "{format}");
    // A program area inside the session is none.
    let mut inside = LINES;
    inside[0][3..6].copy_from_slice(&[0, 2, 19]);
    assert_eq!(image(&inside).disc.next_session(), None, "{format}");
}

#[test]
fn ccd_keeps_the_lines_of_its_entries() {
    check("ccd", |lines| {
        let tracks = [[0x14, 0, 0xA0, 0, 0, 0, 0, 1, 0, 0], [0x14, 0, 0xA1, 0, 0, 0, 0, 1, 0, 0]];
        let places = [[0x14, 0, 0xA2, 0, 0, 0, 0, 0, 2, 20], [0x14, 0, 1, 0, 0, 0, 0, 0, 2, 0]];
        let mut text = "[CloneCD]\r\nVersion=3\r\n[Disc]\r\nSessions=1\r\nDataTracksScrambled=0\r\n".to_owned();
        for (number, line) in tracks.iter().chain(&places).chain(lines).enumerate() {
            let [q, _, point, a, b, c, zero, p, s, f] = *line;
            // CloneCD writes FFh as -1.
            let [a, b, c] = [a, b, c].map(|time| if time == 0xFF { -1 } else { i32::from(time) });
            let lba = (i32::from(p) * 60 + i32::from(s)) * 75 + i32::from(f) - 150;
            text += &format!(
                "[Entry {number}]\r\nSession=1\r\nPoint=0x{point:02x}\r\nADR=0x{:02x}\r\nControl=0x{:02x}\r\nTrackNo=0\r\n\
                 AMin={a}\r\nASec={b}\r\nAFrame={c}\r\nALBA=0\r\nZero={zero}\r\nPMin={p}\r\nPSec={s}\r\nPFrame={f}\r\nPLBA={lba}\r\n",
                q >> 4,
                q & 0xF,
            );
        }
        open("disc.ccd", text.as_bytes(), &[("disc.img", &[7; 20 * 2352])]).unwrap()
    });
}

#[test]
fn mds_keeps_the_lines_of_its_track_blocks() {
    check("mds", |lines| {
        let tracks = vec![Track {
            point: 1,
            mode: 0xAA,
            interleaved: false,
            bytes: 2048,
            start: 0,
            offset: 0,
            pregap: 150,
            blocks: 20,
            files: vec![b"*.mdf".to_vec()],
        }];
        let mut descriptor = build(0, &[Session { start: -150, end: 20, tracks }], &[], None);
        // In the place of A1h and A2h.
        for (number, line) in lines.iter().enumerate() {
            let at = 88 + 24 + 80 * (number + 1) + 2;
            descriptor[at..at + 10].copy_from_slice(line);
        }
        open("disc.mds", &descriptor, &[("disc.mdf", &[7; 20 * 2048])]).unwrap()
    });
}

#[test]
fn b6t_keeps_the_lines_of_its_lead_in_entries() {
    check("b6t", |lines| {
        let data: [b6t::Data<'_>; 1] = [(false, 2048, 0, 20, 0, "*.b6i")];
        let mut entries: Vec<b6t::Track> = lines.iter().map(|line| (0, line[2], 0, 0, 0)).collect();
        entries.push((2, 1, 150, -150, 170));
        let mut descriptor = b6t::image(8, &data, &[(-150, 20, &entries)], &[], &[]);
        for [q, _, point, a, b, c, zero, place @ ..] in lines {
            let mut empty = [0; 52];
            empty[..3].copy_from_slice(&[4, 0, *point]);
            let at = descriptor.windows(52).position(|window| window == empty).unwrap();
            descriptor[at..at + 8].copy_from_slice(&[q & 0xF, q >> 4, *point, 0, *a, *b, *c, *zero]);
            descriptor[at + 8..at + 11].copy_from_slice(place);
        }
        open("disc.b6t", &descriptor, &[("disc.b6i", &[7; 20 * 2048])]).unwrap()
    });
}

fn readcd_toc(lines: &[[u8; 10]]) -> Vec<u8> {
    let mut toc = readcd::toc(&[(1, 4, 0xA0, 4350), (1, 4, 0xA1, 4350), (1, 4, 0xA2, 20), (1, 4, 1, 0)]);
    let behind = toc.split_off(toc.len() - 2);
    toc.extend(lines.iter().flat_map(|line| [&[1], &line[..]].concat()));
    let len = (toc.len() - 2) as u16;
    toc[..2].copy_from_slice(&len.to_be_bytes());
    toc.extend(behind);
    toc
}

#[test]
fn readcd_keeps_the_lines_of_the_toc() {
    check("readcd", |lines| open("disc.toc", &readcd_toc(lines), &[("disc", &[7; 20 * 2448])]).unwrap());
}

#[test]
fn convert_to_ccd_keeps_a_disc_open() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("disc.toc"), readcd_toc(&LINES)).unwrap();
    std::fs::write(path("disc"), [7; 20 * 2448]).unwrap();
    host::run(env!("CARGO_BIN_EXE_spindle"), &["convert", &path("disc.toc"), &path("new.ccd")]);
    let opened = open_path(path("new.ccd").as_ref(), &OpenOptions::default()).unwrap();
    assert_eq!(opened.disc.next_session(), Some(NEXT));
}
