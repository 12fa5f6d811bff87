//! SEAL (Rogaway and Coppersmith, 1994), with other constants in the generator of its tables, and none of the rotation that
//! SHA-1 has over SHA.

/// Bytes of a key stream.
const STREAM: usize = 4096;
/// Bytes of it from one set-up to the next.
const PART: usize = 1024;
const CONSTANTS: [u32; 4] = [0xAA85_7398, 0x938E_7FFA, 0x736A_7D8A, 0x837B_BA77];
/// Bits that choose an entry of the first table, counted in bytes.
const CHOICE: u32 = 0x7FC;

struct Tables {
    t: Vec<u32>,
    s: Vec<u32>,
    r: Vec<u32>,
}

pub fn decrypt(key: &[u8; 32], bytes: &mut [u8]) {
    let mut start = [0; 5];
    for (word, bytes) in start.iter_mut().zip(key.as_chunks::<4>().0) {
        *word = u32::from_be_bytes(*bytes);
    }
    let table = |first: u32, count: u32| -> Vec<u32> {
        (first..first + count).map(|index| hash(start, index / 5)[index as usize % 5]).collect()
    };
    let tables = Tables { t: table(0, 512), s: table(0x1000, 256), r: table(0x2000, 16) };
    for (number, stream) in (0..).zip(bytes.chunks_mut(STREAM)) {
        for (part, bytes) in stream.chunks_mut(PART).enumerate() {
            tables.add_key_stream(number, part, bytes);
        }
    }
}

/// The compression function of SHA on a block of one number and zeros.
fn hash(start: [u32; 5], number: u32) -> [u32; 5] {
    let mut words = [0; 80];
    words[0] = number;
    for at in 16..80 {
        words[at] = words[at - 3] ^ words[at - 8] ^ words[at - 14] ^ words[at - 16];
    }
    let [mut a, mut b, mut c, mut d, mut e] = start;
    for (at, word) in words.into_iter().enumerate() {
        let mixed = match at / 20 {
            0 => (b & c) | (!b & d),
            2 => (b & c) | (b & d) | (c & d),
            _ => b ^ c ^ d,
        };
        let next =
            a.rotate_left(5).wrapping_add(mixed).wrapping_add(e).wrapping_add(word).wrapping_add(CONSTANTS[at / 20]);
        (a, b, c, d, e) = (next, a, b.rotate_left(30), c, d);
    }
    let mut end = start;
    end.iter_mut().zip([a, b, c, d, e]).for_each(|(word, add)| *word = word.wrapping_add(add));
    end
}

impl Tables {
    fn chosen(&self, by: u32) -> u32 {
        self.t[((by & CHOICE) / 4) as usize]
    }

    /// One round of the set-up.
    fn stir(&self, state: &mut [u32; 4]) {
        for at in 0..4 {
            let next = (at + 1) % 4;
            state[next] = state[next].wrapping_add(self.chosen(state[at]));
            state[at] = state[at].rotate_right(9);
        }
    }

    fn add_key_stream(&self, number: u32, part: usize, bytes: &mut [u8]) {
        let r = &self.r[4 * part..4 * part + 4];
        let mut state = [
            number ^ r[0],
            number.rotate_right(8) ^ r[1],
            number.rotate_right(16) ^ r[2],
            number.rotate_right(24) ^ r[3],
        ];
        self.stir(&mut state);
        self.stir(&mut state);
        let [n3, n2, n4, n1] = state;
        self.stir(&mut state);
        let [mut a, mut b, mut c, mut d] = state;
        for (step, (bytes, s)) in (1..).zip(bytes.chunks_mut(16).zip(self.s.as_chunks::<4>().0)) {
            let mut p = a & CHOICE;
            b = b.wrapping_add(self.chosen(p));
            a = a.rotate_right(9);
            b ^= a;
            let mut q = b & CHOICE;
            c ^= self.chosen(q);
            b = b.rotate_right(9);
            c = c.wrapping_add(b);
            p = p.wrapping_add(c) & CHOICE;
            d = d.wrapping_add(self.chosen(p));
            c = c.rotate_right(9);
            d ^= c;
            q = q.wrapping_add(d) & CHOICE;
            a ^= self.chosen(q);
            d = d.rotate_right(9);
            a = a.wrapping_add(d);
            p = p.wrapping_add(a) & CHOICE;
            b ^= self.chosen(p);
            a = a.rotate_right(9);
            q = q.wrapping_add(b) & CHOICE;
            c = c.wrapping_add(self.chosen(q));
            b = b.rotate_right(9);
            p = p.wrapping_add(c) & CHOICE;
            d ^= self.chosen(p);
            c = c.rotate_right(9);
            q = q.wrapping_add(d) & CHOICE;
            a = a.wrapping_add(self.chosen(q));
            d = d.rotate_right(9);
            let stream = [b.wrapping_add(s[0]), c ^ s[1], d.wrapping_add(s[2]), a ^ s[3]];
            for (byte, key) in bytes.iter_mut().zip(stream.into_iter().flat_map(u32::to_le_bytes)) {
                *byte ^= key;
            }
            let (to_a, to_c) = if step % 2 == 1 { (n1, n2) } else { (n3, n4) };
            a = a.wrapping_add(to_a);
            c = c.wrapping_add(to_c);
        }
    }
}
