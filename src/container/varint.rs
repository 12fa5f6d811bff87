//! Numbers of 7 bits a byte, the lowest first: what indexes are kept in, as most of their numbers are small.

/// Adds `number` to `bytes`.
pub fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// The next number of bytes that [`put`] wrote.
pub fn take<'a>(bytes: &mut impl Iterator<Item = &'a u8>) -> u64 {
    let (mut number, mut shift) = (0, 0);
    for byte in bytes {
        number |= u64::from(byte & 0x7F) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            break;
        }
    }
    number
}
