//! Digits of pi after the point, of which Blowfish makes its tables.

use std::sync::OnceLock;

/// Words that Blowfish takes.
const WORDS: usize = 18 + 4 * 256;
/// Words beyond them, for what is cut off in the sums.
const MORE: usize = 2;

/// Bits after the point, 32 in each.
pub fn words() -> &'static [u32] {
    static DIGITS: OnceLock<Vec<u32>> = OnceLock::new();
    DIGITS.get_or_init(|| {
        // Machin: pi / 4 = 4 arctan(1 / 5) - arctan(1 / 239).
        let mut pi = arctan(16, 5);
        subtract(&mut pi, &arctan(4, 239));
        pi[1..=WORDS].to_vec()
    })
}

/// `times` arctan(1 / `inverse`): the whole, then the words after the point.
fn arctan(times: u32, inverse: u32) -> Vec<u32> {
    let mut power = vec![0; 1 + WORDS + MORE];
    power[0] = times;
    divide(&mut power, inverse);
    let mut sum = power.clone();
    for odd in (3..).step_by(2) {
        divide(&mut power, inverse * inverse);
        if power.iter().all(|&word| word == 0) {
            break;
        }
        let mut term = power.clone();
        divide(&mut term, odd);
        if odd % 4 == 3 { subtract(&mut sum, &term) } else { add(&mut sum, &term) }
    }
    sum
}

fn divide(number: &mut [u32], by: u32) {
    let mut rest = 0;
    for word in number {
        let whole = rest << 32 | u64::from(*word);
        *word = (whole / u64::from(by)) as u32;
        rest = whole % u64::from(by);
    }
}

fn add(number: &mut [u32], more: &[u32]) {
    let mut carry = 0;
    for (word, more) in number.iter_mut().zip(more).rev() {
        let sum = u64::from(*word) + u64::from(*more) + carry;
        *word = sum as u32;
        carry = sum >> 32;
    }
}

fn subtract(number: &mut [u32], less: &[u32]) {
    let mut borrow = 0;
    for (word, less) in number.iter_mut().zip(less).rev() {
        let difference = i64::from(*word) - i64::from(*less) - borrow;
        *word = difference as u32;
        borrow = i64::from(difference < 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first and the last words of Blowfish's tables.
    #[test]
    fn begins_and_ends_as_published() {
        assert_eq!(words()[..4], [0x243F_6A88, 0x85A3_08D3, 0x1319_8A2E, 0x0370_7344]);
        assert_eq!(words()[WORDS - 2..], [0x578F_DFE3, 0x3AC3_72E6]);
    }
}
