//! Which bytes of a UIF are encrypted, and how (formats.md, 17).

use std::fmt;

use des::Des;
use des::cipher::{Array, BlockCipherDecrypt, KeyInit};

use super::stacked::Key;
use super::trailer::Trailer;
use crate::container::ImageError;

/// Makes keys of images that need no password.
const FIXED: [&[u8]; 16] = [
    b"FAngS)snOt32",
    b"AglEy29TarsI;",
    b"bum87OrYx*THeCa",
    b"ARMy67sabot&",
    b"FoOTs:blaZe70",
    b"panIc+elD%self79",
    b"Usnea*hest98",
    b"apex(TUft!BLOKE70",
    b"sword18rEpP}",
    b"ARb10naVY=Rouse",
    b"PAIR18gAG:swAYs",
    b"gums}Box73yANg",
    b"naVal45drain]",
    b"Cams42hEt83faiLs)",
    b"rIaNt$Notch5",
    b"ExaCT&art*MEteS47",
];

/// How the bytes of an image are encrypted.
#[derive(Debug, Clone)]
pub enum Encryption {
    None,
    /// Data, and what is packed of the description.
    Des(Box<DesKey>),
    /// Data with some ciphers, the description with others.
    Stacked {
        key: Key,
        data: u8,
        description: u8,
    },
}

impl Encryption {
    /// What the trailer says.
    ///
    /// # Errors
    /// When the key is not known.
    pub fn of(trailer: &Trailer) -> Result<Self, ImageError> {
        let [key_1, key_2, key_3, _] = trailer.keys;
        if trailer.version < 2 {
            return Ok(Self::None);
        }
        if key_2 == 2 {
            let number = key_3 & 15;
            let unknown =
                || ImageError::unsupported(format!("a UIF that is encrypted with key {number}, which nobody knows"));
            let description = if key_3 == 1 { key_1 } else { 0xFF };
            let data = if key_3 == 15 { 0 } else { key_1 };
            return Ok(Self::Stacked { key: Key::numbered(number).ok_or_else(unknown)?, data, description });
        }
        match usize::from(key_1).checked_sub(1).and_then(|number| FIXED.get(number)) {
            Some(text) => Ok(Self::Des(Box::new(DesKey::new(text)))),
            None => Ok(Self::None),
        }
    }

    pub fn decrypt_data(&self, bytes: &mut [u8]) {
        match self {
            Self::None => {}
            Self::Des(key) => key.decrypt(bytes),
            Self::Stacked { key, data, .. } => key.decrypt(*data, bytes),
        }
    }

    pub fn decrypt_description(&self, is_packed: bool, bytes: &mut [u8]) {
        match self {
            Self::Des(key) if is_packed => key.decrypt(bytes),
            Self::None | Self::Des(_) => {}
            Self::Stacked { key, description, .. } => key.decrypt(*description, bytes),
        }
    }

    /// True when data are stored as they are.
    pub fn leaves_data(&self) -> bool {
        matches!(self, Self::None | Self::Stacked { data: 0, .. })
    }
}

/// DES with a key made of a text.
#[derive(Clone)]
pub struct DesKey(Des);

impl fmt::Debug for DesKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DesKey")
    }
}

impl DesKey {
    /// The sum of the text's groups of eight bytes, of which there are four.
    pub fn new(text: &[u8]) -> Self {
        let mut bytes = [0; 32];
        bytes.iter_mut().zip(text).for_each(|(byte, &letter)| *byte = letter);
        let sum = bytes.as_chunks().0.iter().fold(0_u64, |sum, group| sum.wrapping_add(u64::from_le_bytes(*group)));
        Self(Des::new(&sum.to_le_bytes().into()))
    }

    /// Bytes after the last whole eight are in clear.
    pub fn decrypt(&self, bytes: &mut [u8]) {
        self.0.decrypt_blocks(Array::slice_as_chunks_mut(bytes).0);
    }
}
