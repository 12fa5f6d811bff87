//! The bytes of sectors, after sections 0.4 and 0.5 of the formats' description, and the CRC of section 0.6.

use super::source_disc::Mode;

/// Bytes of a whole sector.
pub const RAW: usize = 2352;

/// Minute, second and frame of a number of frames.
pub fn msf(frames: i32) -> [u8; 3] {
    [frames / 4500, frames / 75 % 60, frames % 75].map(|number| number as u8)
}

pub fn bcd(number: u8) -> u8 {
    ((number / 10) << 4) | (number % 10)
}

/// The sector of a track at `lba`: sound that counts, or user data that tells address and position; zeros in the pre-gap of
/// a data track.
pub fn sector(mode: Mode, lba: i32, pregap: bool) -> [u8; RAW] {
    let mut raw = [0; RAW];
    if mode == Mode::Audio {
        for (at, sample) in raw.chunks_exact_mut(2).enumerate() {
            sample.copy_from_slice(&(lba.wrapping_mul(1176).wrapping_add(at as i32) as u16).to_le_bytes());
        }
        return raw;
    }
    // A pre-gap is of Form 1 whatever follows.
    let form_2 = !pregap && (mode == Mode::Form2 || mode == Mode::Mixed && lba % 3 == 1);
    let mut user = vec![0; if form_2 { 2324 } else { 2048 }];
    if !pregap {
        for (at, word) in user.as_chunks_mut::<8>().0.iter_mut().enumerate() {
            word[..4].copy_from_slice(&lba.to_be_bytes());
            word[4..].copy_from_slice(&(at as u32).wrapping_mul(0x9E37_79B9).to_be_bytes());
        }
    }
    data_sector(mode, lba, &user)
}

/// A whole data sector around 2,048 bytes, or 2,324 of Form 2.
pub fn data_sector(mode: Mode, lba: i32, user: &[u8]) -> [u8; RAW] {
    let mut raw = [0; RAW];
    raw[1..11].fill(0xFF);
    raw[12..15].copy_from_slice(&msf(lba + 150).map(bcd));
    if mode == Mode::Mode1 {
        raw[15] = 1;
        raw[16..2064].copy_from_slice(user);
        let sum = edc(&raw[..2064]).to_le_bytes();
        raw[2064..2068].copy_from_slice(&sum);
        parity(&mut raw);
    } else if user.len() == 2324 {
        raw[15] = 2;
        // What a reader puts where none is stored the description leaves open; where the whole track is of Form 2, which may
        // be stored without, it is the one that Spindle puts there.
        let subheader = if mode == Mode::Form2 { [0, 0, 0x28, 0] } else { [1, 2, 0x64, 5] };
        raw[16..24].copy_from_slice(subheader.repeat(2).as_slice());
        raw[24..2348].copy_from_slice(user);
        let sum = edc(&raw[16..2348]).to_le_bytes();
        raw[2348..].copy_from_slice(&sum);
    } else {
        raw[16..24].copy_from_slice(&[0, 0, 8, 0, 0, 0, 8, 0]);
        raw[24..2072].copy_from_slice(user);
        let sum = edc(&raw[16..2072]).to_le_bytes();
        raw[2072..2076].copy_from_slice(&sum);
        // The header counts as zeros.
        let header = [raw[12], raw[13], raw[14], 2];
        raw[12..16].fill(0);
        parity(&mut raw);
        raw[12..16].copy_from_slice(&header);
    }
    raw
}

/// The CRC of data sectors.
pub fn edc(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc: u32, _| crc >> 1 ^ if crc & 1 == 1 { 0xD801_8001 } else { 0 })
    })
}

fn double(x: u8) -> u8 {
    x << 1 ^ if x & 0x80 != 0 { 0x1D } else { 0 }
}

fn parity(raw: &mut [u8; RAW]) {
    for column in 0..86 {
        let run: Vec<u8> = (0..24).map(|n| raw[12 + column + 86 * n]).collect();
        [raw[2076 + column], raw[2076 + 86 + column]] = parity_of(&run);
    }
    for diagonal in 0..52 {
        let first = (diagonal >> 1) * 86 + (diagonal & 1);
        let run: Vec<u8> = (0..43).map(|n| raw[12 + (first + 88 * n) % 2236]).collect();
        [raw[2248 + diagonal], raw[2248 + 52 + diagonal]] = parity_of(&run);
    }
}

fn parity_of(run: &[u8]) -> [u8; 2] {
    let (mut a, mut b) = (0, 0);
    for &byte in run {
        a = double(a ^ byte);
        b ^= byte;
    }
    let sum = double(a) ^ b;
    let first = (0..=255).find(|&x: &u8| x ^ double(x) == sum).unwrap();
    [first, first ^ b]
}

/// The CRC of Q and of CD-TEXT packs.
pub fn q_crc(bytes: &[u8]) -> u16 {
    !bytes.iter().fold(0, |crc, &byte| {
        (0..8).fold(crc ^ u16::from(byte) << 8, |crc: u16, _| crc << 1 ^ if crc & 0x8000 != 0 { 0x1021 } else { 0 })
    })
}
