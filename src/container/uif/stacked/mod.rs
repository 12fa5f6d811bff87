//! Ciphers one after another, each close to a published one and changed in places (formats.md, appendix B). Nothing else uses
//! these forms, so that no crate has them.

mod blowfish;
mod gost;
mod idea;
mod lfsr;
mod loki;
mod pi;
mod rc5;
mod seal;
mod three_way;

use std::fmt;

/// A table of all changes; applied one after another from the first on.
struct Stage {
    flag: u8,
    /// Decrypts bytes that are a multiple of eight.
    decrypt: fn(&[u8; 32], &mut [u8]),
}

const STAGES: [Stage; 8] = [
    Stage { flag: 0x01, decrypt: three_way::decrypt },
    Stage { flag: 0x80, decrypt: seal::decrypt },
    Stage { flag: 0x40, decrypt: rc5::decrypt },
    Stage { flag: 0x20, decrypt: loki::decrypt },
    Stage { flag: 0x10, decrypt: idea::decrypt },
    Stage { flag: 0x08, decrypt: gost::decrypt },
    Stage { flag: 0x04, decrypt: blowfish::decrypt },
    Stage { flag: 0x02, decrypt: lfsr::decrypt },
];

/// The keys by their number. That of number 15 is not known.
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

/// A key of the list.
#[derive(Clone, Copy)]
pub struct Key([u8; 32]);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}

impl Key {
    /// The key `number`, if it is known.
    pub fn numbered(number: u8) -> Option<Self> {
        let text = KEYS.get(usize::from(number))?;
        let mut key = [0; 32];
        for (byte, digits) in key.iter_mut().zip(text.as_bytes().as_chunks::<2>().0) {
            *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        }
        Some(Self(key))
    }

    /// Decrypts what was encrypted as a whole with the ciphers of `flags`. Bytes after the last whole eight are in clear.
    pub fn decrypt(&self, flags: u8, bytes: &mut [u8]) {
        let whole = bytes.len() / 8 * 8;
        for stage in STAGES.iter().filter(|stage| flags & stage.flag != 0) {
            (stage.decrypt)(&self.0, &mut bytes[..whole]);
        }
    }
}

/// The key's bytes from `at` as a number, the lowest first.
fn word(key: &[u8; 32], at: usize) -> u32 {
    u32::from_le_bytes([key[at], key[at + 1], key[at + 2], key[at + 3]])
}

/// Calls `change` with the words of each pair.
fn pairs(bytes: &mut [u8], mut change: impl FnMut([u32; 2]) -> [u32; 2]) {
    for pair in bytes.as_chunks_mut::<8>().0 {
        let [a, b, c, d, e, f, g, h] = *pair;
        let [first, second] = change([u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h])]);
        pair[..4].copy_from_slice(&first.to_le_bytes());
        pair[4..].copy_from_slice(&second.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    /// The vectors of the description: flags, the first bytes with key 0, and the start of the hash with keys 0 and 3.
    #[test]
    fn vectors() {
        for (flags, start, hashes) in [
            (0x01, 0xed7c_35ff_668f_17e8_55de_9731_14e6_4b07, [0x43f7_bb6e_956e_cd4e, 0xad87_7a8c_c123_b485]),
            (0x80, 0xfb9f_56f7_e8a5_3b7d_4d86_fd70_514f_a272, [0xc510_c598_0042_159b, 0xdf84_a948_a178_e973]),
            (0x40, 0xeb45_3fe8_3298_cb2c_015f_c875_aac5_4b52, [0x4430_b775_b66b_b26e, 0x5e1a_2f50_6212_2203]),
            (0x20, 0x8dce_ce1f_4abe_fb45_a1bb_b54c_44f9_ac62, [0x369f_4000_e395_0214, 0xbd24_99cf_cb5e_bf8f]),
            (0x10, 0x73f5_0b28_cf59_f969_e334_b744_90d4_dfbd, [0xe95f_fdf7_3b07_291d, 0x67be_f948_24e3_905d]),
            (0x08, 0x424c_d4b5_7e3f_d8e0_a12a_4084_1b48_1751, [0x1f65_28b2_2758_cb1d, 0x6d43_1aec_096c_df05]),
            (0x04, 0xcdc8_92c7_56e9_ab1d_408a_6bad_a7c8_94fe, [0x416b_a28d_e348_c422, 0x0574_c6e8_efb9_c33c]),
            (0x02, 0xa7fd_7aa0_6b5e_54ef_46d9_5ee3_bac8_841b, [0xebfc_9e57_16ca_727e, 0xa4a0_3c04_fd18_21c6]),
            (0xFF, 0xea8b_84b3_f3fa_471e_6a9c_1760_916c_8f84, [0x9a37_b966_9413_84c8, 0x1605_e884_0bd0_9305]),
        ] {
            for (number, expected) in [0, 3].into_iter().zip(hashes) {
                let mut bytes: Vec<u8> = (0..5120_u32).map(|at| at as u8).collect();
                Key::numbered(number).unwrap().decrypt(flags, &mut bytes);
                if number == 0 {
                    assert_eq!(bytes[..16], u128::to_be_bytes(start), "{flags:#04x}");
                }
                let hash = Sha256::digest(&bytes);
                assert_eq!(hash[..8], u64::to_be_bytes(expected), "{flags:#04x} with key {number}");
            }
        }
    }

    #[test]
    fn the_last_key_is_not_known() {
        assert!(Key::numbered(14).is_some() && Key::numbered(15).is_none());
    }
}
