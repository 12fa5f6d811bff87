//! UIF, after section 17 of the formats' description.

use des::Des;
use des::cipher::{BlockCipherEncrypt, KeyInit};

use super::put::Put;
use super::{pack, uif_ciphers};

/// How data are hidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cipher {
    None,
    /// DES with the string of this number, 1 to 16.
    Fixed(u8),
    /// The ciphers of these flags; the number of the key and what else the byte has.
    Stacked(u8, u8),
}

/// The descriptor of an image that is not plain.
#[derive(Debug, Clone, Copy)]
pub struct Descriptor<'a> {
    /// 1 CUE, 2 MDS, 3 CCD, 4 NRG.
    pub kind: u32,
    pub bytes: &'a [u8],
}

#[derive(Debug, Clone, Copy)]
pub struct Options<'a> {
    /// 1 to 2 with zlib, 3 with LZMA.
    pub version: u16,
    /// A filter for x86 code before LZMA.
    pub filter: bool,
    pub sector: usize,
    /// Sectors of a block.
    pub block: usize,
    /// Whether the lists at the end are packed.
    pub packed_lists: bool,
    pub cipher: Cipher,
    pub password: Option<&'a [u8]>,
    pub descriptor: Option<Descriptor<'a>>,
}

pub const PLAIN: Options<'static> = Options {
    version: 3,
    filter: false,
    sector: 2048,
    block: 16,
    packed_lists: true,
    cipher: Cipher::None,
    password: None,
    descriptor: None,
};

const FIXED: [&str; 16] = [
    "FAngS)snOt32",
    "AglEy29TarsI;",
    "bum87OrYx*THeCa",
    "ARMy67sabot&",
    "FoOTs:blaZe70",
    "panIc+elD%self79",
    "Usnea*hest98",
    "apex(TUft!BLOKE70",
    "sword18rEpP}",
    "ARb10naVY=Rouse",
    "PAIR18gAG:swAYs",
    "gums}Box73yANg",
    "naVal45drain]",
    "Cams42hEt83faiLs)",
    "rIaNt$Notch5",
    "ExaCT&art*MEteS47",
];

/// DES of whole blocks, with a key made of a string.
fn des(bytes: &mut [u8], string: &[u8]) {
    let mut padded = string.to_vec();
    padded.resize(32, 0);
    let sum = padded.as_chunks().0.iter().fold(0_u64, |sum, eight| sum.wrapping_add(u64::from_le_bytes(*eight)));
    let des = Des::new(&sum.to_le_bytes().into());
    bytes.as_chunks_mut::<8>().0.iter_mut().for_each(|block| des.encrypt_block(block.into()));
}

fn compress(bytes: &[u8], options: Options<'_>) -> Vec<u8> {
    if options.version < 3 {
        return pack::zlib(bytes);
    }
    let mut packed = vec![options.filter.into()];
    packed.put(&pack::lzma_properties());
    packed.le64(bytes.len() as u64);
    packed.put(&pack::lzma(bytes, options.filter));
    packed
}

fn hide_data(bytes: &mut [u8], options: Options<'_>) {
    match options.cipher {
        Cipher::None => {}
        Cipher::Fixed(number) => des(bytes, FIXED[usize::from(number) - 1].as_bytes()),
        // Number 15 leaves data as they are.
        Cipher::Stacked(_, 15) => {}
        Cipher::Stacked(flags, key) => uif_ciphers::encrypt(bytes, &uif_ciphers::key((key & 15).into()), flags),
    }
}

fn hide_list(bytes: &mut [u8], packed: bool, options: Options<'_>) {
    match options.cipher {
        Cipher::None => {}
        Cipher::Fixed(_) if packed => hide_data(bytes, options),
        Cipher::Fixed(_) => {}
        Cipher::Stacked(flags, key) => {
            let flags = if key == 1 { flags } else { 0xFF };
            uif_ciphers::encrypt(bytes, &uif_ciphers::key((key & 15).into()), flags);
        }
    }
}

/// `payload` under a header; `number` is its entries or length, `kind` a word that one of the lists has.
fn list(id: &[u8; 4], payload: &[u8], number: usize, kind: Option<u32>, options: Options<'_>) -> Vec<u8> {
    let mut bytes = if options.packed_lists { compress(payload, options) } else { payload.to_vec() };
    hide_list(&mut bytes, options.packed_lists, options);
    let mut list = id.to_vec();
    let extra = if kind.is_some() { 12 } else { 8 };
    list.le32s(&[bytes.len() as u32 + extra, options.packed_lists.into(), number as u32]);
    list.le32s(kind.as_slice());
    list.put(&bytes);
    list
}

pub fn file(data: &[u8], options: Options<'_>) -> Vec<u8> {
    let size = options.sector * options.block;
    let mut file = Vec::new();
    let mut entries = Vec::new();
    let blocks: Vec<&[u8]> = data.chunks(size).collect();
    // The last come first in the file.
    for (number, block) in blocks.iter().enumerate().rev() {
        let (kind, mut bytes) = if block.iter().all(|&byte| byte == 0) {
            (3, Vec::new())
        } else {
            let packed = compress(block, options);
            if packed.len() < block.len() {
                (5, packed)
            } else {
                // Zeros at the end need not be there.
                let length = block.iter().rposition(|&byte| byte != 0).unwrap() + 1;
                (1, block[..length].to_vec())
            }
        };
        hide_data(&mut bytes, options);
        entries.le64(file.len() as u64);
        entries.le32s(&[bytes.len() as u32, (number * options.block) as u32]);
        entries.le32s(&[block.len().div_ceil(options.sector) as u32, kind]);
        file.put(&bytes);
    }
    let blhr_at = file.len();
    let mut lists = list(b"blhr", &entries, blocks.len(), None, options);
    if let Some(descriptor) = options.descriptor {
        let layout = [0; 64];
        lists.put(&list(b"blms", &layout, layout.len(), None, options));
        lists.put(&list(b"blss", descriptor.bytes, descriptor.bytes.len(), Some(descriptor.kind), options));
    }
    if let Some(password) = options.password {
        let mut inner = trailer(data, blhr_at, lists.len(), options.cipher, options);
        des(&mut inner, password);
        file.put(b"bsdr");
        file.le32(64);
        file.put(&inner);
        file.put(&lists);
        file.put(&trailer(data, blhr_at, lists.len() + 72, Cipher::None, options));
    } else {
        file.put(&lists);
        file.put(&trailer(data, blhr_at, lists.len(), options.cipher, options));
    }
    file
}

fn trailer(data: &[u8], blhr_at: usize, lists: usize, cipher: Cipher, options: Options<'_>) -> Vec<u8> {
    let mut trailer = b"bbis".to_vec();
    trailer.le32(64);
    trailer.le16(options.version);
    trailer.le16(if options.descriptor.is_some() { 9 } else { 8 });
    trailer.le32(0);
    let sectors = data.len().div_ceil(options.sector);
    trailer.le32s(&[sectors as u32, options.sector as u32, (data.len() % options.sector) as u32]);
    trailer.le64(blhr_at as u64);
    trailer.le32(lists as u32 + 64);
    trailer.put(b"sixteen of hash.");
    trailer.put(&match cipher {
        Cipher::None => [0, 0, 0, 0],
        Cipher::Fixed(number) => [number, 0, 0, 0],
        Cipher::Stacked(flags, key) => [flags, 2, key, 0],
    });
    trailer.le32(0);
    trailer
}
