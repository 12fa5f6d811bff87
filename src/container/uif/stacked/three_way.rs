//! 3-Way (Daemen, 1993), decryption, with words of the data mixed before each block.

use super::word;

const ROUNDS: usize = 11;
/// The first round constant of decryption, and the polynomial of those after it.
const FIRST: u32 = 0xB1B1;
const POLYNOMIAL: u32 = 0x1_1011;
const MIXED: u32 = 0x7483_A3FD;

type State = [u32; 3];

pub fn decrypt(key: &[u8; 32], bytes: &mut [u8]) {
    let key = mu(theta([word(key, 0), word(key, 4), word(key, 8)]));
    for block in bytes.as_chunks_mut::<12>().0 {
        let mut state = [0; 3];
        for (word, bytes) in state.iter_mut().zip(block.as_chunks::<4>().0) {
            *word = u32::from_le_bytes(*bytes);
        }
        state[2] ^= state[0];
        state[0] ^= state[1];
        state[1] ^= MIXED;
        for (bytes, word) in block.as_chunks_mut::<4>().0.iter_mut().zip(decrypt_block(key, state)) {
            *bytes = word.to_le_bytes();
        }
    }
}

fn decrypt_block(key: State, state: State) -> State {
    let mut state = mu(state);
    let mut constant = FIRST;
    for round in 0..=ROUNDS {
        state = [state[0] ^ key[0] ^ constant << 16, state[1] ^ key[1], state[2] ^ key[2] ^ constant];
        state = theta(state);
        if round < ROUNDS {
            state = pi_2(gamma(pi_1(state)));
        }
        constant <<= 1;
        if constant & 0x1_0000 != 0 {
            constant ^= POLYNOMIAL;
        }
    }
    mu(state)
}

fn mu([a, b, c]: State) -> State {
    [c.reverse_bits(), b.reverse_bits(), a.reverse_bits()]
}

fn gamma([a, b, c]: State) -> State {
    [a ^ (b | !c), b ^ (c | !a), c ^ (a | !b)]
}

fn theta([a, b, c]: State) -> State {
    let mixed = |a: u32, b: u32, c: u32| {
        let pair = |high: u32, low: u32, by: u32| high >> by ^ low << (32 - by);
        a ^ pair(a, b, 16) ^ pair(b, c, 16) ^ pair(b, c, 24) ^ pair(c, a, 8) ^ pair(c, a, 16) ^ pair(c, a, 24)
    };
    [mixed(a, b, c), mixed(b, c, a), mixed(c, a, b)]
}

fn pi_1([a, b, c]: State) -> State {
    [a.rotate_right(10), b, c.rotate_left(1)]
}

fn pi_2([a, b, c]: State) -> State {
    [a.rotate_left(1), b, c.rotate_right(10)]
}
