//! A key stream of three shift registers that clock one another, as A5/1 has them, and a table of bytes.

/// Bits of the registers.
const WIDTHS: [u32; 3] = [19, 22, 23];
/// Bits by which they agree on who moves.
const CLOCKS: [u32; 3] = [9, 11, 11];
const TAPS: [[u32; 4]; 3] = [[13, 16, 17, 18], [12, 16, 20, 21], [17, 18, 21, 22]];
const TABLE: [u8; 64] = [
    0xA6, 0xAC, 0xDB, 0xB7, 0xED, 0x96, 0x45, 0x99, 0x47, 0xF7, 0xE2, 0x16, 0xD8, 0x69, 0xA3, 0x7E, 0x8F, 0x58, 0x58,
    0xEE, 0x1D, 0xB5, 0x39, 0x13, 0x23, 0xF0, 0x18, 0xEF, 0xB0, 0x0E, 0x8B, 0x3E, 0xC1, 0x27, 0xDA, 0x60, 0xF3, 0x94,
    0x62, 0x40, 0x6A, 0xB6, 0x34, 0xCE, 0xAF, 0x93, 0x11, 0x2A, 0x5D, 0xF6, 0x16, 0x1E, 0x33, 0x5C, 0x81, 0x77, 0x98,
    0xAF, 0x1B, 0x93, 0xCC, 0x91, 0x60, 0x32,
];

pub fn decrypt(key: &[u8; 32], bytes: &mut [u8]) {
    let wide = |at: usize| i32::from(key[at].cast_signed());
    let start = [
        wide(0) << 11 | wide(1) << 3 | wide(2) >> 5,
        wide(2) << 17 | wide(3) << 9 | wide(4) << 1 | wide(5) >> 7,
        wide(5) << 15 | wide(6) << 8 | wide(7),
    ];
    let mut registers = start.map(i32::cast_unsigned);
    for (byte, mixed) in bytes.iter_mut().zip(TABLE.iter().cycle()) {
        let stream = (0..8).fold(0, |stream, _| stream << 1 | step(&mut registers));
        *byte ^= stream ^ mixed;
    }
}

fn step(registers: &mut [u32; 3]) -> u8 {
    let votes = [0, 1, 2].map(|at| registers[at] >> CLOCKS[at] & 1);
    let majority = u32::from(votes.iter().sum::<u32>() >= 2);
    for (at, register) in registers.iter_mut().enumerate().filter(|(at, _)| votes[*at] == majority) {
        let fed = TAPS[at].iter().fold(0, |sum, tap| sum ^ *register >> tap & 1);
        *register = (*register << 1 | fed) & ((1 << WIDTHS[at]) - 1);
    }
    (registers.iter().fold(0, |sum, register| sum ^ register) & 1) as u8
}
