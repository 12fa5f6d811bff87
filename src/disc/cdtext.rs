//! CD-TEXT: texts about a disc and its tracks, in packs of 18 bytes in the lead-in (MMC-6, annex J; IEC 61866).

use std::collections::BTreeMap;

use super::subchannel::crc;

/// Bytes of a pack: type, track, number, block and position, twelve of text, CRC.
pub const PACK: usize = 18;
const TEXT: usize = 12;

/// What a text says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Of the album or the track.
    Title = 0x80,
    /// Performers.
    Performer = 0x81,
    /// Songwriters.
    Songwriter = 0x82,
    /// Composers.
    Composer = 0x83,
    /// Arrangers.
    Arranger = 0x84,
    /// A message from the content provider or artist.
    Message = 0x85,
    /// Of the disc.
    DiscId = 0x86,
    /// Text that follows the genre's code.
    Genre = 0x87,
    /// UPC/EAN of the album, ISRC of a track.
    Code = 0x8E,
}

/// Every kind, in the order of the packs.
pub const KINDS: [Kind; 9] = [
    Kind::Title,
    Kind::Performer,
    Kind::Songwriter,
    Kind::Composer,
    Kind::Arranger,
    Kind::Message,
    Kind::DiscId,
    Kind::Genre,
    Kind::Code,
];
const SIZE_INFO: u8 = 0x8F;

impl Kind {
    /// Name of the field, as CUE sheets spell it, in lower case.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Title => "title",
            Self::Performer => "performer",
            Self::Songwriter => "songwriter",
            Self::Composer => "composer",
            Self::Arranger => "arranger",
            Self::Message => "message",
            Self::DiscId => "disc_id",
            Self::Genre => "genre",
            Self::Code => "code",
        }
    }
}

/// The texts of one language. Track 0 is the disc.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CdText {
    /// EBU code: 09h is English.
    pub language: u8,
    /// By kind and track.
    pub texts: BTreeMap<(Kind, u8), String>,
}

/// Packs that a disc can have: eight blocks of 256.
pub const MOST_PACKS_OF_A_DISC: usize = 8 * 256;

/// Language code of English (EBU Tech 3258).
pub const ENGLISH: u8 = 0x09;
/// Character code of MS-JIS; 00h is ISO 8859-1, 01h ISO 646.
const MS_JIS: u8 = 0x80;

/// The texts of packs, a block each. Packs with a wrong CRC are left out, but zeros stand for one that was not kept; so are those
/// behind [`MOST_PACKS_OF_A_DISC`].
#[must_use]
pub fn decode(packs: &[[u8; PACK]]) -> Vec<CdText> {
    // A tab stands for the text before: what is long is so for every track.
    let packs = &packs[..packs.len().min(MOST_PACKS_OF_A_DISC)];
    (0..8).filter_map(|block| decode_block(packs, block)).collect()
}

fn decode_block(packs: &[[u8; PACK]], block: u8) -> Option<CdText> {
    let sound = |pack: &&[u8; PACK]| pack[16..] == [0, 0] || crc(&pack[..16]).to_be_bytes() == pack[16..];
    let own: Vec<_> = packs.iter().filter(sound).filter(|pack| pack[3] >> 4 & 7 == block).collect();
    if own.is_empty() {
        return None;
    }
    let mut info = [0; 3 * TEXT];
    for pack in own.iter().filter(|pack| pack[0] == SIZE_INFO && pack[1] < 3) {
        info[usize::from(pack[1]) * TEXT..][..TEXT].copy_from_slice(&pack[4..16]);
    }
    let is_japanese = info[0] == MS_JIS;
    let mut texts = BTreeMap::new();
    for kind in KINDS {
        let of_kind: Vec<_> = own.iter().filter(|pack| pack[0] == kind as u8).collect();
        let Some(first) = of_kind.first() else { continue };
        let double = first[3] & 0x80 != 0;
        let bytes: Vec<u8> = of_kind.iter().flat_map(|pack| pack[4..16].iter().copied()).collect();
        let bytes = if kind == Kind::Genre { bytes.get(2..).unwrap_or_default() } else { &bytes };
        let mut before = String::new();
        for (track, text) in (first[1] & 0x7F..=99).zip(split(bytes, double)) {
            // A tab stands for what the track before says.
            let text = if matches!(text, b"\t" | b"\t\t") { before.clone() } else { to_text(text, is_japanese) };
            if !text.is_empty() {
                texts.insert((kind, track), text.clone());
            }
            before = text;
        }
    }
    Some(CdText { language: info[28 + usize::from(block)], texts })
}

/// Texts that a zero ends, or two where characters have two bytes.
fn split(bytes: &[u8], double: bool) -> Vec<&[u8]> {
    let width = if double { 2 } else { 1 };
    let mut texts = Vec::new();
    let mut start = 0;
    let mut at = 0;
    while at + width <= bytes.len() {
        if bytes[at..at + width].iter().all(|&byte| byte == 0) {
            texts.push(&bytes[start..at]);
            start = at + width;
        }
        at += width;
    }
    texts
}

fn to_text(bytes: &[u8], is_japanese: bool) -> String {
    if is_japanese {
        return encoding_rs::SHIFT_JIS.decode_without_bom_handling(bytes).0.into_owned();
    }
    bytes.iter().map(|&byte| char::from(byte)).collect()
}

/// Packs for the texts of up to eight languages, a block each, for a disc with the tracks `first` to `last`. In ISO 8859-1, where
/// a character that it does not have is a question mark. A language without text, or with more than a block can hold, has no
/// block.
#[must_use]
pub fn encode(languages: &[CdText], first: u8, last: u8) -> Vec<[u8; PACK]> {
    let blocks: Vec<_> = languages
        .iter()
        .map(|language| (language.language, language.text_packs(first, last)))
        .filter(|(_, packs)| (1..=MOST_PACKS).contains(&packs.len()))
        .take(8)
        .collect();
    let mut info = [0; 3 * TEXT];
    info[1..4].copy_from_slice(&[first, last, 0]);
    for (block, (language, packs)) in blocks.iter().enumerate() {
        info[20 + block] = packs.len() as u8 + 2;
        info[28 + block] = *language;
    }
    let mut all = Vec::new();
    for (block, (_, packs)) in (0_u8..).zip(blocks) {
        info[4..20].fill(0);
        for pack in &packs {
            info[4 + usize::from(pack[0] & 0xF)] += 1;
        }
        info[19] = 3;
        let sizes = (0..).zip(info.chunks_exact(TEXT)).map(|(number, part)| {
            let mut pack = [0; PACK];
            pack[..4].copy_from_slice(&[SIZE_INFO, number, packs.len() as u8 + number, 0]);
            pack[4..16].copy_from_slice(part);
            pack
        });
        all.extend(packs.iter().copied().chain(sizes).map(|mut pack| {
            pack[3] |= block << 4;
            seal(&mut pack);
            pack
        }));
    }
    all
}

/// Packs of a block, at most, without the three that say how many there are.
const MOST_PACKS: usize = 252;

impl CdText {
    /// The packs of the texts, numbered from 0, without block and CRC.
    fn text_packs(&self, first: u8, last: u8) -> Vec<[u8; PACK]> {
        let mut packs: Vec<[u8; PACK]> = Vec::new();
        for kind in KINDS {
            if !self.texts.keys().any(|(of, _)| *of == kind) {
                continue;
            }
            let tracks = if kind == Kind::DiscId || kind == Kind::Genre { 0..=0 } else { 0..=last };
            // Each character with its track and its position in the text.
            let mut characters = Vec::new();
            if kind == Kind::Genre {
                characters.extend([(0_u8, 0_usize, 0_u8); 2]);
            }
            for track in tracks.filter(|track| *track == 0 || *track >= first) {
                let text = self.texts.get(&(kind, track)).map_or("", String::as_str);
                let bytes = text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).filter(|byte| *byte != 0);
                characters.extend(bytes.chain([0]).enumerate().map(|(at, byte)| (track, at, byte)));
            }
            for chunk in characters.chunks(TEXT) {
                let mut pack = [0; PACK];
                let (track, at, _) = chunk[0];
                pack[..4].copy_from_slice(&[kind as u8, track, packs.len() as u8, at.min(15) as u8]);
                pack[4..].iter_mut().zip(chunk).for_each(|(to, (_, _, byte))| *to = *byte);
                packs.push(pack);
            }
        }
        packs
    }
}

/// Puts the CRC into a pack.
pub fn seal(pack: &mut [u8; PACK]) {
    let crc = crc(&pack[..16]).to_be_bytes();
    pack[16..].copy_from_slice(&crc);
}

/// The packs of a file: 18 bytes each, maybe behind a header of four bytes or before a zero; nothing when it is none of these.
#[must_use]
pub fn packs_of_file(bytes: &[u8]) -> Option<Vec<[u8; PACK]>> {
    let bytes = match bytes.len() % PACK {
        0 => bytes,
        1 => bytes.split_last()?.1,
        4 => &bytes[4..],
        _ => return None,
    };
    bytes.chunks_exact(PACK).map(|pack| pack.try_into().ok()).collect()
}
