//! What runs of a DMG hold, as no library writes it: ADC after section 20 of the formats' description, LZFSE's blocks without
//! entropy coding after the description that the format's makers publish.

use super::matches::longest;
use super::put::Put;

pub fn adc(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let (mut at, mut literals) = (0, 0);
    let put_literals = |out: &mut Vec<u8>, literals: &[u8]| {
        for run in literals.chunks(128) {
            out.push(0x80 | (run.len() - 1) as u8);
            out.put(run);
        }
    };
    while at < bytes.len() {
        let Some((distance, length)) = longest(bytes, at, 1400) else {
            at += 1;
            continue;
        };
        let (back, length) = (distance - 1, length.min(67));
        if length < 4 && back >= 1024 {
            at += 1;
            continue;
        }
        put_literals(&mut out, &bytes[literals..at]);
        if length <= 18 && back < 1024 {
            out.put(&[((length - 3) as u8) << 2 | (back >> 8) as u8, back as u8]);
        } else {
            out.put(&[0x40 | (length - 4) as u8, (back >> 8) as u8, back as u8]);
        }
        at += length;
        literals = at;
    }
    put_literals(&mut out, &bytes[literals..]);
    out
}

/// Blocks of LZVN, the last one as it is.
pub fn lzfse(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for (number, block) in bytes.chunks(9000).enumerate() {
        if (number + 1) * 9000 >= bytes.len() {
            out.put(b"bvx-");
            out.le32(block.len() as u32);
            out.put(block);
        } else {
            let payload = lzvn(block);
            out.put(b"bvxn");
            out.le32s(&[block.len() as u32, payload.len() as u32]);
            out.put(&payload);
        }
    }
    out.put(b"bvx$");
    out
}

fn lzvn(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let (mut at, mut literals, mut before) = (0, 0, 0);
    while at < bytes.len() {
        let Some((distance, length)) = longest(bytes, at, 1700) else {
            at += 1;
            continue;
        };
        let rest = lzvn_literals(&mut out, &bytes[literals..at]);
        let (few, length) = (rest.len() as u8, length.min(270));
        // The first lengths of a match, by what its instruction has room for; the others go on at the same distance.
        let first = if distance == before && few == 0 {
            0
        } else if distance < 1536 {
            // What would be longer is another instruction.
            let first = length.min(10 - 2 * rest.len());
            out.put(&[few << 6 | (first as u8 - 3) << 3 | (distance >> 8) as u8, distance as u8]);
            first
        } else {
            let first = length.min(34);
            let m = first as u8 - 3;
            out.put(&[0xA0 | few << 3 | m >> 2, (distance << 2) as u8 | m & 3, (distance >> 6) as u8]);
            first
        };
        out.put(rest);
        match length - first {
            0 => {}
            more @ 1..=15 => out.push(0xF0 | more as u8),
            more @ 16.. => out.put(&[0xF0, (more - 16) as u8]),
        }
        before = distance;
        at += length;
        literals = at;
    }
    let rest = lzvn_literals(&mut out, &bytes[literals..]);
    if !rest.is_empty() {
        out.push(0xE0 | rest.len() as u8);
        out.put(rest);
    }
    out.put(&[6, 0, 0, 0, 0, 0, 0, 0]);
    out
}

/// All but up to three literals, which the next match can take along.
fn lzvn_literals<'a>(out: &mut Vec<u8>, literals: &'a [u8]) -> &'a [u8] {
    let mut rest = literals;
    while rest.len() > 3 {
        let (run, after) = rest.split_at(rest.len().min(271));
        match run.len() {
            few @ 1..=15 => out.push(0xE0 | few as u8),
            many => out.put(&[0xE0, (many - 16) as u8]),
        }
        out.put(run);
        rest = after;
    }
    rest
}
