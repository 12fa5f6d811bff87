//! IDEA (Lai and Massey, 1991), decryption, with derived words of the key changed.

const ROUNDS: usize = 8;
const WORDS: usize = 6 * ROUNDS + 4;
const MIXED: u16 = 0x28FC;

pub fn decrypt(key: &[u8; 32], bytes: &mut [u8]) {
    let key = inverted(&subkeys(key));
    for block in bytes.as_chunks_mut::<8>().0 {
        let mut words = [0; 4];
        for (word, bytes) in words.iter_mut().zip(block.as_chunks::<2>().0) {
            *word = u16::from_le_bytes(*bytes);
        }
        for (bytes, word) in block.as_chunks_mut::<2>().0.iter_mut().zip(crypt(&key, words)) {
            *bytes = word.to_le_bytes();
        }
    }
}

fn subkeys(key: &[u8; 32]) -> [u16; WORDS] {
    let mut words = [0; WORDS];
    for (word, bytes) in words.iter_mut().zip(key[..16].as_chunks::<2>().0) {
        *word = u16::from_be_bytes(*bytes);
    }
    // The key is rotated by 25 bits for each further eight words.
    for at in 8..WORDS {
        let before = at / 8 * 8 - 8;
        let [first, second] = [(at + 1) % 8, (at + 2) % 8].map(|word| words[before + word]);
        words[at] = (first << 9 | second >> 7) ^ MIXED;
    }
    words
}

/// The words for the other direction.
fn inverted(words: &[u16; WORDS]) -> [u16; WORDS] {
    let mut inverted = [0; WORDS];
    for round in 0..=ROUNDS {
        let from = &words[6 * (ROUNDS - round)..];
        let to = &mut inverted[6 * round..];
        // The sums in the middle are swapped in all rounds but the outer ones.
        let (second, third) = if round == 0 || round == ROUNDS { (1, 2) } else { (2, 1) };
        to[0] = inverse(from[0]);
        to[1] = from[second].wrapping_neg();
        to[2] = from[third].wrapping_neg();
        to[3] = inverse(from[3]);
        if round < ROUNDS {
            let before = 6 * (ROUNDS - round) - 2;
            to[4] = words[before];
            to[5] = words[before + 1];
        }
    }
    inverted
}

/// Modulo 65537, where 0 stands for 65536.
fn product(a: u16, b: u16) -> u16 {
    let full = |word: u16| if word == 0 { 0x1_0000 } else { u64::from(word) };
    (full(a) * full(b) % 0x1_0001) as u16
}

/// By Fermat: the power 65535.
fn inverse(word: u16) -> u16 {
    (0..15).fold(word, |power, _| product(product(power, power), word))
}

fn crypt(key: &[u16; WORDS], [mut a, mut b, mut c, mut d]: [u16; 4]) -> [u16; 4] {
    for words in key.chunks(6) {
        a = product(a, words[0]);
        d = product(d, words[3]);
        if let [_, second, third, _, fifth, sixth] = *words {
            b = b.wrapping_add(second);
            c = c.wrapping_add(third);
            let left = product(a ^ c, fifth);
            let right = product((b ^ d).wrapping_add(left), sixth);
            let left = left.wrapping_add(right);
            (a, b, c, d) = (a ^ right, c ^ right, b ^ left, d ^ left);
        } else {
            (b, c) = (c.wrapping_add(words[1]), b.wrapping_add(words[2]));
        }
    }
    [a, b, c, d]
}
