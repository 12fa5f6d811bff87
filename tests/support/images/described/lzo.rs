//! LZO1X streams, of the instructions that the Linux kernel's document of the format tells.

use super::matches::longest;

pub fn compress(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let (mut at, mut literals) = (0, 0);
    while at < bytes.len() {
        match longest(bytes, at, 300) {
            Some((distance, length)) => {
                put_literals(&mut out, &bytes[literals..at]);
                put_match(&mut out, distance, length);
                at += length;
                literals = at;
            }
            None => at += 1,
        }
    }
    put_literals(&mut out, &bytes[literals..]);
    out.extend([0x11, 0, 0]);
    out
}

/// What is left of a length beyond the field of the instruction: a zero for each 255.
fn put_rest(out: &mut Vec<u8>, mut rest: usize) {
    while rest > 255 {
        out.push(0);
        rest -= 255;
    }
    out.push(rest as u8);
}

fn put_literals(out: &mut Vec<u8>, literals: &[u8]) {
    match literals.len() {
        0 => {}
        count @ 1..=238 if out.is_empty() => out.push(17 + count as u8),
        // After a match the last two bits of its distance tell of up to three literals.
        count @ 1..=3 => {
            let low = out.len() - 2;
            out[low] |= count as u8;
        }
        count @ 4..=18 => out.push(count as u8 - 3),
        count => {
            out.push(0);
            put_rest(out, count - 18);
        }
    }
    out.extend(literals);
}

fn put_match(out: &mut Vec<u8>, distance: usize, length: usize) {
    let back = distance - 1;
    match length {
        // The last two bits lie in the byte before the last, as in the longer form.
        3..=4 => out.extend([0x40 | (length as u8 - 3) << 5 | (back as u8 & 7) << 2, (back >> 3) as u8]),
        5..=8 => out.extend([0x80 | (length as u8 - 5) << 5 | (back as u8 & 7) << 2, (back >> 3) as u8]),
        _ => {
            if length <= 33 {
                out.push(0x20 | (length - 2) as u8);
            } else {
                out.push(0x20);
                put_rest(out, length - 33);
            }
            out.extend([(back << 2) as u8, (back >> 6) as u8]);
        }
    }
}
