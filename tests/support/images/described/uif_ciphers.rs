//! The stacked ciphers of UIF, in the direction that encrypts, after appendix B of the formats' description.

/// Key `number`, 0 to 14.
pub fn key(number: usize) -> [u8; 32] {
    const KEYS: [&str; 15] = [
        "685a3de9f74081941c264cf634296994f7201541f7d402762e6bf4bc6800a2d4",
        "6214dc68006948d7a4c00e68ee8da127a2fe3f4f8cad87e806e08cb5b6d6f47a",
        "bc67a855589a15a16329a9cc33dbe199564a2aa6f925313f1c7ef45e7c312990",
        "e095236be1923e33620b243b22b9beee0ea2b285990dbae68c0c72de28f7a22d",
        "fb9f7b669c7ddbce0bcf91a0a35e15d9882f13bb24ad5b51bf79947bebd63b76",
        "5780bc9d86c0f7f0f87b78604d6003604683fdd1b01f38f604ae4577ccfc36d7",
        "e1ac0bb9d00582bb4862a8119ea97475b6197fb709dca9e0a1092d66334632c4",
        "d79ee61163ea382394ddc2533416c2c256eecbbbdeb6bc90a17dfceb761d59ce",
        "37ce393acff5fad33777c2ab1b2dc55a9e67b05c4237a34f402782d3be9bbc99",
        "b8c289c0f62e2443aa031ea5a4d0f29cba61c0834d6ae99b5015e58fd65b64ba",
        "71ac29e0e6a519e0fdacb0479bfa93ed8dc4d3e8cc573b282966d5f8282e1379",
        "5117e84d8edc303862589d3791f92093c2907aeace7b3efb64ce215132be4f77",
        "63e49bd29e5d2f541b77c2ae70634ef68d0d0e7457135be7711672f85d7d53af",
        "4987901a9abd4fd4cbdedad038da0ad52ac33903673691c67c31f98d4f2bb1e0",
        "41740a1b8c34a34b2071bec5d83276c38d9f35df2e2f999b476f0be61df1e30f",
    ];
    bytes(KEYS[number])
}

fn bytes<const N: usize>(hex: &str) -> [u8; N] {
    std::array::from_fn(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap())
}

/// Encrypts the whole words of eight bytes with the ciphers of `flags`.
pub fn encrypt(data: &mut [u8], key: &[u8; 32], flags: u8) {
    let whole = data.len() / 8 * 8;
    let data = &mut data[..whole];
    // The last to be decrypted is the first here.
    for (flag, cipher) in CIPHERS {
        if flags & flag != 0 {
            cipher(data, key);
        }
    }
}

type Cipher = fn(&mut [u8], &[u8; 32]);

const CIPHERS: [(u8, Cipher); 8] = [
    (0x02, lfsr),
    (0x04, blowfish),
    (0x08, gost),
    (0x10, idea),
    (0x20, loki91),
    (0x40, rc5),
    (0x80, seal),
    (0x01, three_way),
];

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(*bytes[4 * at..].first_chunk().unwrap())
}

fn big_word(bytes: &[u8], at: usize) -> u32 {
    word(bytes, at).swap_bytes()
}

/// Pairs of words, each encrypted by itself.
fn pairs(data: &mut [u8], encrypt: impl Fn([u32; 2]) -> [u32; 2]) {
    for block in data.as_chunks_mut::<8>().0 {
        let [first, second] = encrypt([word(block, 0), word(block, 1)]);
        block[..4].copy_from_slice(&first.to_le_bytes());
        block[4..].copy_from_slice(&second.to_le_bytes());
    }
}

fn three_way(data: &mut [u8], key: &[u8; 32]) {
    let key: [u32; 3] = std::array::from_fn(|at| word(key, at));
    for block in data.as_chunks_mut::<12>().0 {
        let mut a: [u32; 3] = std::array::from_fn(|at| word(block, at));
        let mut constant = 0x0B0B;
        for round in 0..12 {
            a = [a[0] ^ key[0] ^ constant << 16, a[1] ^ key[1], a[2] ^ key[2] ^ constant];
            a = theta(a);
            if round < 11 {
                a = [a[0].rotate_right(10), a[1], a[2].rotate_left(1)];
                a = std::array::from_fn(|at| a[at] ^ (a[(at + 1) % 3] | !a[(at + 2) % 3]));
                a = [a[0].rotate_left(1), a[1], a[2].rotate_right(10)];
            }
            constant <<= 1;
            if constant & 0x1_0000 != 0 {
                constant ^= 0x1_1011;
            }
        }
        // What decryption does before, undone.
        a[1] ^= 0x7483_A3FD;
        a[0] ^= a[1];
        a[2] ^= a[0];
        block.copy_from_slice(a.map(u32::to_le_bytes).as_flattened());
    }
}

fn theta(a: [u32; 3]) -> [u32; 3] {
    std::array::from_fn(|at| {
        let [a, b, c] = [a[at], a[(at + 1) % 3], a[(at + 2) % 3]];
        let own = a ^ a >> 16 ^ a << 24 ^ a << 16 ^ a << 8;
        own ^ b << 16 ^ b >> 16 ^ b >> 24 ^ c << 16 ^ c << 8 ^ c >> 8 ^ c >> 16 ^ c >> 24
    })
}

/// The table generator of SEAL: SHA without the rotation of the message, with other constants.
fn seal_word(key: &[u32; 5], index: u32) -> u32 {
    const ROUNDS: [u32; 4] = [0xAA85_7398, 0x938E_7FFA, 0x736A_7D8A, 0x837B_BA77];
    let mut message = vec![0; 80];
    message[0] = index / 5;
    for at in 16..80 {
        message[at] = message[at - 3] ^ message[at - 8] ^ message[at - 14] ^ message[at - 16];
    }
    let [mut a, mut b, mut c, mut d, mut e] = *key;
    for (at, word) in message.iter().enumerate() {
        let mixed = match at / 20 {
            0 => b & c | !b & d,
            2 => b & c | b & d | c & d,
            _ => b ^ c ^ d,
        };
        let next = [a.rotate_left(5), mixed, e, ROUNDS[at / 20], *word].into_iter().fold(0, u32::wrapping_add);
        (e, d, c, b, a) = (d, c, b.rotate_left(30), a, next);
    }
    let sum = [a, b, c, d, e][index as usize % 5];
    sum.wrapping_add(key[index as usize % 5])
}

fn seal(data: &mut [u8], key: &[u8; 32]) {
    let key = std::array::from_fn(|at| big_word(key, at));
    let table = |from: u32, count: u32| -> Vec<u32> { (from..from + count).map(|at| seal_word(&key, at)).collect() };
    let (t, s, r) = (table(0, 512), table(0x1000, 256), table(0x2000, 16));
    let t = |at: u32| t[(at & 0x7FC) as usize / 4];
    for (n, part) in (0_u32..).zip(data.chunks_mut(4096)) {
        let mut stream: Vec<u8> = Vec::new();
        for inside in 0..4 {
            let r = &r[4 * inside..];
            let mut x: [u32; 4] = std::array::from_fn(|at| n.rotate_right(8 * at as u32) ^ r[at]);
            let mix = |x: &mut [u32; 4]| {
                for at in 0..4 {
                    x[(at + 1) % 4] = x[(at + 1) % 4].wrapping_add(t(x[at]));
                    x[at] = x[at].rotate_right(9);
                }
            };
            mix(&mut x);
            mix(&mut x);
            let [n1, n2, n3, n4] = [x[3], x[1], x[0], x[2]];
            mix(&mut x);
            let [mut a, mut b, mut c, mut d] = x;
            for step in 1..=64 {
                let mut p = a;
                a = a.rotate_right(9);
                b = b.wrapping_add(t(p)) ^ a;
                let mut q = b;
                b = b.rotate_right(9);
                c = (c ^ t(q)).wrapping_add(b);
                p = (p & 0x7FC).wrapping_add(c);
                c = c.rotate_right(9);
                d = d.wrapping_add(t(p)) ^ c;
                q = (q & 0x7FC).wrapping_add(d);
                d = d.rotate_right(9);
                a = (a ^ t(q)).wrapping_add(d);
                p = (p & 0x7FC).wrapping_add(a);
                b ^= t(p);
                a = a.rotate_right(9);
                q = (q & 0x7FC).wrapping_add(b);
                c = c.wrapping_add(t(q));
                b = b.rotate_right(9);
                p = (p & 0x7FC).wrapping_add(c);
                d ^= t(p);
                c = c.rotate_right(9);
                q = (q & 0x7FC).wrapping_add(d);
                d = d.rotate_right(9);
                a = a.wrapping_add(t(q));
                let s = &s[4 * (step - 1)..];
                let words = [b.wrapping_add(s[0]), c ^ s[1], d.wrapping_add(s[2]), a ^ s[3]];
                stream.extend(words.map(u32::to_le_bytes).as_flattened());
                let (first, second) = if step % 2 == 1 { (n1, n2) } else { (n3, n4) };
                a = a.wrapping_add(first);
                c = c.wrapping_add(second);
            }
        }
        part.iter_mut().zip(stream).for_each(|(byte, with)| *byte ^= with);
    }
}

fn rc5(data: &mut [u8], key: &[u8; 32]) {
    let mut l = [word(key, 0), u32::from(key[4])];
    let mut s: [u32; 22] =
        std::array::from_fn(|at| 0xB7E1_5163_u32.wrapping_add(0x9E37_79B9_u32.wrapping_mul(at as u32)));
    let (mut a, mut b) = (0_u32, 0_u32);
    for at in 0..66 {
        a = s[at % 22].wrapping_add(a).wrapping_add(b).rotate_left(3);
        s[at % 22] = a;
        let sum = a.wrapping_add(b);
        b = l[at % 2].wrapping_add(sum).rotate_left(sum & 31);
        l[at % 2] = b;
    }
    pairs(data, |[a, b]| {
        let (mut a, mut b) = (a.wrapping_add(s[0]), b.wrapping_add(s[1]));
        for pair in s[2..].as_chunks::<2>().0 {
            a = ((a ^ b).rotate_left(b & 31) ^ 0x63A7_2EFB).wrapping_add(pair[0]);
            b = (b ^ a).rotate_left(a & 31).wrapping_add(pair[1]);
        }
        [a, b]
    });
}

fn loki91(data: &mut [u8], key: &[u8; 32]) {
    let mut halves = [word(key, 0), word(key, 1)];
    let mut subkeys = Vec::new();
    for at in 0..8 {
        let half = &mut halves[at % 2];
        subkeys.extend([*half, half.rotate_left(12)]);
        *half = half.rotate_left(25);
    }
    let boxes: Vec<u32> = (0..4096).map(loki91_box).collect();
    let f = |right: u32, key: u32| {
        let a = right ^ key;
        let inputs = [a, a >> 8, a >> 16, a.rotate_right(24)];
        let mixed = (0..4).fold(0, |all, at| all | boxes[(inputs[at] & 0xFFF) as usize] << (8 * at));
        (0..32).fold(0, |out, at| out << 1 | mixed >> (31 - at / 4 - 8 * (at % 4)) & 1)
    };
    pairs(data, |[mut left, mut right]| {
        for &subkey in &subkeys {
            (left, right) = (right, left ^ f(right, subkey));
        }
        [right, left]
    });
}

fn loki91_box(input: u32) -> u32 {
    const GENERATORS: [u32; 16] = [375, 379, 391, 395, 397, 415, 419, 425, 433, 445, 451, 463, 471, 477, 487, 499];
    let row = input >> 8 & 0xC | input & 3;
    let base = ((input >> 2 & 0xFF) + ((17 * row) ^ 0xFF)) & 0xFF;
    let times = |a: u32, b: u32| {
        (0..8).rev().fold(0, |product, bit| {
            let doubled = product << 1;
            let reduced = if doubled & 0x100 != 0 { doubled ^ GENERATORS[row as usize] } else { doubled };
            reduced ^ if b >> bit & 1 == 1 { a } else { 0 }
        })
    };
    (0..30).fold(base, |power, _| times(power, base))
}

fn idea(data: &mut [u8], key: &[u8; 32]) {
    let mut z: Vec<u16> = key[..16].as_chunks().0.iter().map(|&two| u16::from_be_bytes(two)).collect();
    for at in 8..52_usize {
        let from = at / 8 * 8 - 8;
        let next = z[from + (at + 1) % 8] << 9 | z[from + (at + 2) % 8] >> 7;
        z.push(next ^ 0x28FC);
    }
    let times = |a: u16, b: u16| {
        let whole = |x: u16| if x == 0 { 0x1_0000 } else { u64::from(x) };
        (whole(a) * whole(b) % 0x1_0001) as u16
    };
    for block in data.as_chunks_mut::<8>().0 {
        let mut x: [u16; 4] = std::array::from_fn(|at| u16::from_le_bytes([block[2 * at], block[2 * at + 1]]));
        for z in z[..48].as_chunks::<6>().0 {
            x = [times(x[0], z[0]), x[1].wrapping_add(z[1]), x[2].wrapping_add(z[2]), times(x[3], z[3])];
            let first = times(x[0] ^ x[2], z[4]);
            let second = times(first.wrapping_add(x[1] ^ x[3]), z[5]);
            let first = first.wrapping_add(second);
            x = [x[0] ^ second, x[2] ^ second, x[1] ^ first, x[3] ^ first];
        }
        x = [times(x[0], z[48]), x[2].wrapping_add(z[49]), x[1].wrapping_add(z[50]), times(x[3], z[51])];
        block.copy_from_slice(x.map(u16::to_le_bytes).as_flattened());
    }
}

fn gost(data: &mut [u8], key: &[u8; 32]) {
    // The nibble that is the highest first.
    const BOXES: [[u8; 16]; 8] = [
        [14, 4, 13, 1, 2, 15, 11, 8, 3, 10, 6, 12, 5, 9, 0, 7],
        [15, 1, 8, 14, 6, 11, 3, 4, 9, 7, 2, 13, 12, 0, 5, 10],
        [10, 0, 9, 14, 6, 3, 15, 5, 1, 13, 12, 7, 11, 4, 2, 8],
        [7, 13, 14, 3, 0, 6, 9, 10, 1, 2, 8, 5, 11, 12, 4, 15],
        [2, 12, 4, 1, 7, 10, 11, 6, 8, 5, 3, 15, 13, 0, 14, 9],
        [12, 1, 10, 15, 9, 2, 6, 8, 0, 13, 3, 4, 14, 7, 5, 11],
        [4, 11, 2, 14, 15, 0, 8, 13, 3, 12, 9, 7, 5, 10, 6, 1],
        [13, 2, 8, 4, 6, 15, 11, 1, 10, 9, 3, 14, 5, 0, 12, 7],
    ];
    const ORDER: [usize; 28] = [0, 1, 2, 3, 4, 5, 6, 7, 7, 6, 3, 2, 1, 0, 5, 4, 3, 2, 1, 0, 7, 6, 5, 4, 3, 2, 1, 0];
    let f = |x: u32| {
        let byte = |at: usize| {
            let [high, low] = [x >> (28 - 8 * at), x >> (24 - 8 * at)].map(|nibble| (nibble & 15) as usize);
            // With its sign, above all that is higher.
            let signed = (BOXES[2 * at][high] << 4 | BOXES[2 * at + 1][low]) as i8;
            (signed as u32) << (24 - 8 * at)
        };
        (0..4).fold(0, |all, at| all | byte(at)).rotate_left(11)
    };
    pairs(data, |[mut first, mut second]| {
        for &number in ORDER.iter().rev() {
            (first, second) = (second ^ f(first.wrapping_add(word(key, number))), first);
        }
        [second, first]
    });
}

fn blowfish(data: &mut [u8], key: &[u8; 32]) {
    let mut s = pi(18 + 1024).split_off(18);
    let mut p = [0_u32; 18];
    let mut at = 0;
    for word in &mut p {
        for _ in 0..4 {
            // With its sign.
            *word = *word << 8 | key[at % 16] as i8 as u32;
            at += 1;
        }
    }
    let encrypt = |p: &[u32; 18], s: &[u32], [mut left, mut right]: [u32; 2]| {
        for subkey in &p[..16] {
            left ^= subkey;
            let [a, b, c, d] = left.to_be_bytes().map(usize::from);
            let f = (s[a].wrapping_add(s[256 + b]) ^ s[512 + c]).wrapping_add(s[768 + d]) ^ 0x0028_799A;
            right ^= f ^ 0x3FBE_82A9;
            (left, right) = (right, left);
        }
        [right ^ p[17], left ^ p[16]]
    };
    let mut pair = [0; 2];
    for at in (0..18).step_by(2) {
        pair = encrypt(&p, &s, pair);
        p[at..at + 2].copy_from_slice(&pair);
    }
    for at in (0..1024).step_by(2) {
        pair = encrypt(&p, &s, pair);
        s[at..at + 2].copy_from_slice(&pair);
    }
    pairs(data, |pair| encrypt(&p, &s, pair));
}

/// The first words of the binary fraction of pi: 16 arctan(1/5) - 4 arctan(1/239).
fn pi(words: usize) -> Vec<u32> {
    // A whole word, the fraction, and some words that errors may take.
    let size = words + 3;
    let divide = |number: &mut [u32], by: u64| {
        number.iter_mut().fold(0, |rest, word| {
            let all = rest << 32 | u64::from(*word);
            *word = (all / by) as u32;
            all % by
        });
    };
    let mut sum = vec![0_u32; size];
    for (factor, x, plus) in [(16, 5, true), (4, 239, false)] {
        let mut power = vec![0_u32; size];
        power[0] = factor * x;
        let (mut odd, mut plus) = (1, plus);
        while power.iter().any(|&word| word != 0) {
            divide(&mut power, u64::from(x) * u64::from(x));
            let mut term = power.clone();
            divide(&mut term, odd);
            sum.iter_mut().zip(&term).rev().fold(false, |carry, (word, &term)| {
                let (next, first, second);
                if plus {
                    (next, first) = word.overflowing_add(term);
                    (*word, second) = next.overflowing_add(carry.into());
                } else {
                    (next, first) = word.overflowing_sub(term);
                    (*word, second) = next.overflowing_sub(carry.into());
                }
                first || second
            });
            odd += 2;
            plus = !plus;
        }
    }
    sum[1..=words].to_vec()
}

fn lfsr(data: &mut [u8], key: &[u8; 32]) {
    const TABLE: &str = "a6acdbb7ed96459947f7e216d869a37e8f5858ee1db5391323f018efb00e8b3e\
                         c127da60f39462406ab634ceaf93112a5df6161e335c817798af1b93cc916032";
    const WIDTHS: [u32; 3] = [19, 22, 23];
    const CLOCKS: [u32; 3] = [9, 11, 11];
    const TAPS: [[u32; 4]; 3] = [[13, 16, 17, 18], [12, 16, 20, 21], [17, 18, 21, 22]];
    let table: [u8; 64] = bytes(TABLE);
    let k: [i32; 8] = std::array::from_fn(|at| i32::from(key[at] as i8));
    let mut registers = [
        k[0] << 11 | k[1] << 3 | k[2] >> 5,
        k[2] << 17 | k[3] << 9 | k[4] << 1 | k[5] >> 7,
        k[5] << 15 | k[6] << 8 | k[7],
    ]
    .map(|register| register as u32);
    let bit = |register: u32, at: u32| register >> at & 1;
    for (at, byte) in data.iter_mut().enumerate() {
        let mut with = 0;
        for _ in 0..8 {
            let clocks: [u32; 3] = std::array::from_fn(|at| bit(registers[at], CLOCKS[at]));
            let majority = u32::from(clocks.iter().sum::<u32>() >= 2);
            for (at, register) in registers.iter_mut().enumerate() {
                if clocks[at] == majority {
                    let fed = TAPS[at].iter().fold(0, |fed, &tap| fed ^ bit(*register, tap));
                    *register = (*register << 1) & ((1 << WIDTHS[at]) - 1) | fed;
                }
            }
            with = with << 1 | ((registers[0] ^ registers[1] ^ registers[2]) & 1) as u8;
        }
        *byte ^= with ^ table[at % 64];
    }
}
