//! Apple Data Compression.

use std::io;

use super::super::damaged;

/// Fills `out` from `input`.
///
/// # Errors
/// `InvalidData` when the input is damaged or holds less than `out`.
pub fn decode(input: &[u8], out: &mut [u8]) -> io::Result<()> {
    let (mut input, mut done) = (input, 0);
    while done < out.len() {
        let short = || damaged("ADC data is too short");
        let (&control, rest) = input.split_first().ok_or_else(short)?;
        if control & 0x80 != 0 {
            let count = usize::from(control & 0x7F) + 1;
            let (literals, rest) = rest.split_at_checked(count).ok_or_else(short)?;
            let to = out.get_mut(done..done + count).ok_or_else(|| damaged("ADC data is too long"))?;
            to.copy_from_slice(literals);
            (input, done) = (rest, done + count);
            continue;
        }
        let (count, distance, rest) = match (control & 0x40 != 0, rest) {
            (true, [high, low, rest @ ..]) => {
                (usize::from(control & 0x3F) + 4, usize::from(*high) << 8 | usize::from(*low), rest)
            }
            (false, [low, rest @ ..]) => {
                (usize::from(control >> 2 & 0x0F) + 3, usize::from(control & 3) << 8 | usize::from(*low), rest)
            }
            _ => return Err(short()),
        };
        let from = done.checked_sub(distance + 1).ok_or_else(|| damaged("ADC data refers to before its start"))?;
        if count > out.len() - done {
            return Err(damaged("ADC data is too long"));
        }
        // What is copied can be what this copy writes.
        (0..count).for_each(|at| out[done + at] = out[from + at]);
        (input, done) = (rest, done + count);
    }
    Ok(())
}
