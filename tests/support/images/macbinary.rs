//! MacBinary II (and its checksum), after the published standard of 1987.

/// The remainder of `bytes` by the polynomial of CRC-16/XMODEM, bit by bit.
pub fn crc(bytes: &[u8]) -> u16 {
    let mut rest = 0_u32;
    for bit in bytes.iter().chain(&[0, 0]).flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1)) {
        rest = rest << 1 | u32::from(bit);
        if rest & 0x1_0000 != 0 {
            rest ^= 0x1_1021;
        }
    }
    rest as u16
}

/// A file of these forks.
pub fn macbinary(data: &[u8], resource: &[u8]) -> Vec<u8> {
    let mut file = vec![0; 128];
    file[1] = 7;
    file[2..9].copy_from_slice(b"My Disc");
    file[65..73].copy_from_slice(b"rohdhdsk");
    file[83..87].copy_from_slice(&(data.len() as u32).to_be_bytes());
    file[87..91].copy_from_slice(&(resource.len() as u32).to_be_bytes());
    file[122..124].copy_from_slice(&[129, 129]);
    let crc = crc(&file[..124]);
    file[124..126].copy_from_slice(&crc.to_be_bytes());
    for fork in [data, resource] {
        file.extend(fork);
        file.resize(file.len().next_multiple_of(128), 0);
    }
    file
}
