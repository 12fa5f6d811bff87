//! UIF.

use sha2::{Digest, Sha256};

use crate::support::images::described::uif_ciphers::{encrypt, key};

/// What the description says of decryption of the bytes 0 to 255: what is first with key 0, and the sum of all with keys 0
/// and 3 for ciphers that are their own inverse.
#[test]
fn ciphers_undo_the_test_vectors() {
    let vectors = [
        (0x01, "ed7c35ff668f17e855de973114e64b07"),
        (0x80, "fb9f56f7e8a53b7d4d86fd70514fa272"),
        (0x40, "eb453fe83298cb2c015fc875aac54b52"),
        (0x20, "8dcece1f4abefb45a1bbb54c44f9ac62"),
        (0x10, "73f50b28cf59f969e334b74490d4dfbd"),
        (0x08, "424cd4b57e3fd8e0a12a40841b481751"),
        (0x04, "cdc892c756e9ab1d408a6bada7c894fe"),
        (0x02, "a7fd7aa06b5e54ef46d95ee3bac8841b"),
        (0xFF, "ea8b84b3f3fa471e6a9c1760916c8f84"),
    ];
    for (flags, first) in vectors {
        let byte = |at: usize| u8::from_str_radix(&first[2 * at..2 * at + 2], 16).unwrap();
        let mut data: Vec<u8> = (0..16).map(byte).collect();
        encrypt(&mut data, &key(0), flags);
        // The first cipher takes whole blocks of twelve bytes.
        let whole = match flags {
            0x01 => 12,
            0xFF => 8,
            _ => 16,
        };
        assert_eq!(data[..whole], (0..16).collect::<Vec<u8>>()[..whole], "{flags:02X}");
    }
    for (flags, number, sum) in [
        (0x80, 0, "c510c5980042159b"),
        (0x80, 3, "df84a948a178e973"),
        (0x02, 0, "ebfc9e5716ca727e"),
        (0x02, 3, "a4a03c04fd1821c6"),
    ] {
        let mut data: Vec<u8> = (0..5120).map(|at| at as u8).collect();
        encrypt(&mut data, &key(number), flags);
        let hash: String = Sha256::digest(&data)[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hash, sum, "{flags:02X}, key {number}");
    }
}
