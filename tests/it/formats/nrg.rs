//! NRG.

use std::fs;

use spindle::disc::TrackMode::{Audio, Mode1, Mode2Xa};
use spindle::disc::cdtext::{Kind, decode};
use spindle::disc::{Control, Lba, MediumType};
use spindle::image::{ImageErrorKind, OpenOptions, Opened, open_path};

use crate::support::host::run;
use crate::support::image::{blocks, every_prefix, open, sector, tracks};
use crate::support::images::discs::video_cd;
use crate::support::inputs;

/// Number and start of each track, and the lead-out, as cd-info prints them.
fn printed(right: &str) -> Vec<(u32, i32)> {
    let rows = right.lines().skip_while(|line| !line.contains("#: MSF")).skip(1);
    let row = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        Some((words.first()?.trim_end_matches(':').parse().ok()?, words.get(2)?.parse().ok()?))
    };
    rows.map_while(row).collect()
}

fn ours(opened: &Opened) -> Vec<(u32, i32)> {
    let tracks = opened.disc.tracks().map(|track| (u32::from(track.number), track.start.0));
    tracks.chain([(170, opened.disc.lead_out().0)]).collect()
}

fn libcdio(name: &str) -> Opened {
    open_path(&inputs::path(&format!("libcdio/{name}")), &OpenOptions::default()).unwrap()
}

#[test]
fn libcdios_images_have_the_tracks_that_libcdio_prints() {
    let right = fs::read_to_string(inputs::path("libcdio-expected/videocd.right")).unwrap();
    let opened = libcdio("videocd.nrg");
    assert_eq!(ours(&opened), printed(&right));
    assert_eq!(ours(&opened).len(), 6);
    assert!(opened.disc.tracks().all(|track| track.mode == Mode2Xa));
    let file = fs::read(inputs::path("libcdio/videocd.nrg")).unwrap();
    assert_eq!(sector(&opened, 675)[16..], file[675 * 2336..676 * 2336]);
    assert_eq!(sector(&opened, 826)[16..], file[676 * 2336..677 * 2336]);
}

#[test]
fn a_disc_written_at_once_has_its_stored_pre_gaps_and_its_text() {
    let opened = libcdio("p1.nrg");
    assert_eq!(tracks(&opened), [(1, Audio, -150, 150, 225), (2, Audio, 225, 300, 302)]);
    assert!(opened.disc.tracks().all(|track| track.control == Control(2)));
    // The same disc as a sheet has its sound from LBA 0 on; the NRG has the pre-gap before it too.
    let (nrg, bin) =
        (fs::read(inputs::path("libcdio/p1.nrg")).unwrap(), fs::read(inputs::path("libcdio/p1.bin")).unwrap());
    for lba in [-150, 0, 226, 301] {
        let at = (lba + 150) as usize * 2352;
        assert_eq!(sector(&opened, lba)[..], nrg[at..at + 2352], "{lba}");
    }
    assert_eq!(sector(&opened, 301)[..], bin[301 * 2352..]);
    let texts = &decode(&opened.disc.sessions[0].cd_text)[0].texts;
    assert_eq!(texts[&(Kind::Title, 0)], "Join us now we have the software");
    assert_eq!(texts[&(Kind::Performer, 0)], "Richard Stallman");
}

mod tools {
    use super::*;

    #[test]
    fn nrg2iso_finds_the_same_blocks() {
        let (folder, (file, _)) = (tempfile::tempdir().unwrap(), by_track());
        let (nrg, iso) = (folder.path().join("a.nrg"), folder.path().join("a.iso"));
        // nrg2iso skips two seconds, which writers of data discs put before the first block.
        let data = [vec![0; 150 * 2048], (0..40_u8).flat_map(|n| vec![n; 2048]).collect()].concat();
        let padded = at_once_data(&data);
        fs::write(&nrg, &padded).unwrap();
        run("nrg2iso", &[nrg.to_str().unwrap(), iso.to_str().unwrap()]);
        let opened = open_path(&nrg, &OpenOptions::default()).unwrap();
        assert!(fs::read(&iso).unwrap().starts_with(&blocks(&opened, 0, 40)));
        assert!(open("a.nrg", &file, &[]).is_ok());
    }

    #[test]
    fn a_video_cd_of_vcdxbuild_is_the_same_disc_as_its_bin() {
        let folder = tempfile::tempdir().unwrap();
        let [cue, nrg] =
            video_cd::images(folder.path()).map(|image| open_path(image.as_ref(), &OpenOptions::default()).unwrap());
        assert_eq!((nrg.format.id, cue.format.id), ("nrg", "cue"));
        assert_eq!(tracks(&nrg), tracks(&cue));
        assert_eq!(tracks(&nrg).len(), 2);
        for track in cue.disc.tracks() {
            for lba in track.start.0..track.end.0 {
                assert_eq!(sector(&nrg, lba), sector(&cue, lba), "{lba}");
            }
        }
    }
}

fn chunk(id: &[u8; 4], content: &[u8]) -> Vec<u8> {
    [&id[..], &(content.len() as u32).to_be_bytes(), content].concat()
}

fn footer(sectors: usize) -> Vec<u8> {
    [&chunk(b"END!", &[])[..], b"NER5", &(sectors as u64).to_be_bytes()].concat()
}

fn cue(control: u8, track: u8, index: u8, lba: i32) -> Vec<u8> {
    [&[control << 4 | 1, track, index, 0][..], &lba.to_be_bytes()].concat()
}

/// ISRC, bytes of a sector, mode, offsets of index 0, index 1 and the end.
type AtOnce<'a> = (&'a [u8; 12], u16, u8, u64, u64, u64);

fn dao(first: u8, last: u8, tracks: &[AtOnce<'_>]) -> Vec<u8> {
    let mut out = [&[0; 4][..], b"0123456789012", &[0, 0, 1, first, last]].concat();
    for (isrc, sector, mode, index_0, index_1, end) in tracks {
        out.extend([&isrc[..], &sector.to_be_bytes(), &[*mode, 0, 0, 1]].concat());
        out.extend([index_0, index_1, end].map(|offset| offset.to_be_bytes()).concat());
    }
    out
}

/// One track of data written at once, its pre-gap first.
fn at_once_data(data: &[u8]) -> Vec<u8> {
    let blocks = (data.len() / 2048) as i32 - 150;
    let cues = [cue(4, 0, 0, -150), cue(4, 1, 0, -150), cue(4, 1, 1, 0), cue(4, 0xAA, 1, blocks)].concat();
    let dao = dao(1, 1, &[(&[0; 12], 2048, 0, 0, 150 * 2048, data.len() as u64)]);
    [data.to_vec(), chunk(b"CUEX", &cues), chunk(b"DAOX", &dao), footer(data.len())].concat()
}

/// Two sessions written at once, and the sectors of both.
fn two_sessions() -> (Vec<u8>, Vec<u8>) {
    let mut sectors: Vec<u8> = (0..6_u8).flat_map(|n| vec![n; 2048]).collect();
    let sound = sectors.len() as u64;
    sectors.extend((6..12_u8).flat_map(|n| [vec![n; 2352], vec![n | 0x40; 96]].concat()));
    let second = sectors.len() as u64;
    sectors.extend((12..16_u8).flat_map(|n| vec![n; 2336]));
    let end = sectors.len() as u64;
    let lba = 6 + 2 + 4 + 11_400;
    let cues_1 = [
        cue(4, 0, 0, -150),
        cue(4, 1, 0, -150),
        cue(4, 1, 1, 0),
        cue(0, 2, 0, 6),
        cue(0, 2, 1, 8),
        cue(0, 2, 2, 10),
        cue(0, 0xAA, 1, 12),
    ];
    let cues_2 = [cue(4, 0, 0, lba - 150), cue(4, 3, 0, lba - 150), cue(4, 3, 1, lba), cue(4, 0xAA, 1, lba + 4)];
    let dao_1 =
        dao(1, 2, &[(&[0; 12], 2048, 0, 0, 0, sound), (b"DEABC1234567", 2448, 0x10, sound, sound + 2 * 2448, second)]);
    let dao_2 = dao(3, 3, &[(&[0; 12], 2336, 3, second, second, end)]);
    let file = [
        sectors.clone(),
        chunk(b"CUEX", &cues_1.concat()),
        chunk(b"DAOX", &dao_1),
        chunk(b"CUEX", &cues_2.concat()),
        chunk(b"DAOX", &dao_2),
        chunk(b"SINF", &[0, 0, 0, 2]),
        chunk(b"MTYP", &[0, 0, 0, 1]),
        footer(sectors.len()),
    ];
    (file.concat(), sectors)
}

/// Two sessions written track by track.
fn by_track() -> (Vec<u8>, Vec<u8>) {
    let sectors: Vec<u8> = [(0..6_u8).flat_map(|n| vec![n; 2048]).collect::<Vec<_>>(), vec![9; 5 * 2352]].concat();
    let entry = |offset: u64, bytes: u64, mode: u32, start: u32, blocks: u32| {
        [
            &offset.to_be_bytes()[..],
            &bytes.to_be_bytes(),
            &mode.to_be_bytes(),
            &start.to_be_bytes(),
            &[0; 4],
            &blocks.to_be_bytes(),
        ]
        .concat()
    };
    let file = [
        sectors.clone(),
        chunk(b"ETN2", &entry(0, 6 * 2048, 0, 0, 6)),
        chunk(b"ETN2", &entry(6 * 2048, 5 * 2352, 7, 11_406, 5)),
        footer(sectors.len()),
    ];
    (file.concat(), sectors)
}

#[test]
fn sessions_written_at_once_are_where_their_cues_say() {
    let (file, _) = two_sessions();
    let opened = open("a.nrg", &file, &[]).unwrap();
    let lba = 11_412;
    assert_eq!(tracks(&opened), [(1, Mode1, -150, 0, 6), (2, Audio, 6, 8, 12), (3, Mode2Xa, lba - 150, lba, lba + 4)]);
    assert_eq!(opened.disc.sessions.len(), 2);
    assert_eq!(blocks(&opened, 5, 1), [5; 2048]);
    assert_eq!(sector(&opened, 6), [6; 2352]);
    assert_eq!(sector(&opened, lba + 3)[16..], [15; 2336]);
    assert_eq!(opened.disc.read_subchannel(Lba(9)).unwrap()[12..24], [0xFF; 12]);
    assert_eq!(opened.disc.mcn.as_ref(), Some(b"0123456789012"));
    let sound = opened.disc.tracks().nth(1).unwrap();
    assert_eq!((sound.isrc.as_ref(), sound.indices.as_slice()), (Some(b"DEABC1234567"), &[Lba(10)][..]));
}

#[test]
fn tracks_written_one_by_one_have_empty_pre_gaps() {
    let (file, _) = by_track();
    let opened = open("a.nrg", &file, &[]).unwrap();
    let lba = 6 + 11_400;
    assert_eq!(tracks(&opened), [(1, Mode1, -150, 0, 6), (2, Audio, lba - 150, lba, lba + 5)]);
    assert_eq!(opened.disc.sessions.len(), 2);
    assert_eq!(sector(&opened, lba + 4), [9; 2352]);
    assert_eq!(sector(&opened, lba - 1), [0; 2352]);
}

#[test]
fn version_1_counts_in_times_and_narrow_offsets() {
    let sectors: Vec<u8> = (0..200_u8).flat_map(|n| vec![n; 2352]).collect();
    let cue =
        |track: u8, index: u8, minute: u8, second: u8, frame: u8| vec![1, track, index, 0, 0, minute, second, frame];
    let cues = [cue(0, 0, 0, 0, 0), cue(1, 0, 0, 0, 0), cue(1, 1, 0, 2, 0), cue(0xAA, 1, 0, 2, 0x50)].concat();
    let mut dao = [&[0; 4][..], &[0; 13], &[0, 0, 1, 1, 1]].concat();
    dao.extend([&[0; 12][..], &2352_u16.to_be_bytes(), &[7, 0, 0, 1]].concat());
    dao.extend([0_u32, 150 * 2352, 200 * 2352].map(u32::to_be_bytes).concat());
    let file = [
        &sectors[..],
        &chunk(b"CUES", &cues),
        &chunk(b"DAOI", &dao),
        &chunk(b"END!", &[]),
        b"NERO",
        &(sectors.len() as u32).to_be_bytes(),
    ];
    let opened = open("a.nrg", &file.concat(), &[]).unwrap();
    assert_eq!(tracks(&opened), [(1, Audio, -150, 0, 50)]);
    assert_eq!(sector(&opened, 49), [199; 2352]);
    // Bytes behind the footer.
    let (mut file, _) = two_sessions();
    file.extend([0xEE; 300]);
    assert_eq!(open("a.nrg", &file, &[]).unwrap().disc.sessions.len(), 2);
}

#[test]
fn a_dvd_has_no_pre_gap() {
    let sectors: Vec<u8> = (0..64_u8).flat_map(|n| vec![n; 2048]).collect();
    let cues = [cue(4, 0, 0, -150), cue(4, 1, 0, -150), cue(4, 1, 1, 0), cue(4, 0xAA, 1, 64)].concat();
    let dao = dao(1, 1, &[(&[0; 12], 2048, 0, 0, 0, sectors.len() as u64)]);
    let media = chunk(b"MTYP", &0x4_0000_u32.to_be_bytes());
    let file = [sectors.clone(), chunk(b"CUEX", &cues), chunk(b"DAOX", &dao), media, footer(sectors.len())].concat();
    let opened = open("a.nrg", &file, &[]).unwrap();
    assert_eq!(opened.disc.medium, MediumType::DvdRom);
    assert_eq!(tracks(&opened), [(1, Mode1, 0, 0, 64)]);
    assert_eq!(blocks(&opened, 63, 1), [63; 2048]);
}

#[test]
fn magiciso_writes_whole_sectors_under_other_numbers() {
    let mut raw: Vec<u8> = vec![0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 2, 0, 1];
    raw.resize(2352, 5);
    let sectors = raw.repeat(6);
    let cues = [cue(4, 0, 0, -150), cue(4, 1, 0, -150), cue(4, 1, 1, 0), cue(4, 0xAA, 1, 6)].concat();
    let dao = dao(1, 1, &[(&[0; 12], 2352, 0, 0, 0, sectors.len() as u64 + 500)]);
    let file = [sectors.clone(), chunk(b"CUEX", &cues), chunk(b"DAOX", &dao), footer(sectors.len())].concat();
    let opened = open("a.nrg", &file, &[]).unwrap();
    assert_eq!(tracks(&opened), [(1, Mode1, -150, 0, 6)]);
    assert_eq!(sector(&opened, 3)[..], raw);
}

#[test]
fn what_no_nrg_can_be_is_refused() {
    let (file, sectors) = two_sessions();
    let change = |find: &[u8], at: usize, bytes: &[u8]| {
        let mut file = file.clone();
        let place =
            sectors.len() + file[sectors.len()..].windows(find.len()).position(|part| part == find).unwrap() + at;
        file[place..place + bytes.len()].copy_from_slice(bytes);
        open("a.nrg", &file, &[]).map(|_| ()).unwrap_err()
    };
    // A mode that is none, offsets that go back, addresses that go back, a chunk that no disc needs, no chunks.
    assert_eq!(change(b"DAOX", 8 + 22 + 14, &[0x55]).kind(), ImageErrorKind::Invalid);
    assert_eq!(change(b"DAOX", 8 + 22 + 18, &[0, 0, 1]).kind(), ImageErrorKind::Invalid);
    let start = change(&cue(4, 3, 1, 11_412), 4, &[0, 0, 0, 1]);
    assert_eq!(start.kind(), ImageErrorKind::Invalid, "{start}");
    assert_eq!(change(b"CUEX", 0, b"END!").kind(), ImageErrorKind::Invalid);
}

#[test]
fn an_image_whose_chunks_are_cut_off_is_read_as_far_as_they_go() {
    let (mut file, sectors) = two_sessions();
    let at = file.len() - 12 - 8 - 12 - 12;
    file.drain(at - 90..at);
    let _ = open("a.nrg", &file, &[]);
    assert!(file.len() > sectors.len());
}

#[test]
fn every_prefix_of_the_chunks_is_read_or_refused() {
    let (file, sectors) = by_track();
    let short = [&file[sectors.len()..file.len() - 8], &0_u64.to_be_bytes()].concat();
    every_prefix("a.nrg", &short, &[]);
    let (file, sectors) = two_sessions();
    for len in sectors.len()..file.len() {
        let cut = [&file[..len], b"NER5", &(sectors.len() as u64).to_be_bytes()].concat();
        if let Ok(opened) = open("a.nrg", &cut, &[]) {
            crate::support::image::probe(&opened);
        }
    }
}
