//! The compressed map of version 5 (formats.md, 13.3). It stays packed: every so many hunks the state of its decoder is kept, and a
//! hunk is looked up by decoding on from there. That takes less than 7 bytes of memory per hunk.

use std::io;

use super::bits::Bits;
use super::codec::Codec;
use super::crc16;
use super::huffman::Huffman;
use super::hunks::{Check, Hunk, Kind};
use crate::container::damaged;
use crate::source::ByteSource;

/// Bytes of the header of a map.
const HEADER: u64 = 16;
/// Hunks from one kept state to the next.
const STEP: u32 = 128;

/// A map.
#[derive(Debug)]
pub struct PackedMap {
    bytes: Vec<u8>,
    code: Huffman,
    /// Bits of a length, of a reference to this file, of one to the parent.
    widths: [u32; 3],
    shape: Shape,
    states: Vec<State>,
}

/// What the header of the file says about hunks.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    pub hunks: u32,
    pub hunk_bytes: u32,
    pub unit_bytes: u32,
    pub codecs: [Option<Codec>; 4],
}

/// What the decoder knows before a hunk.
#[derive(Debug, Clone, Copy, Default)]
struct State {
    /// Where the next type is, in bits.
    types: u64,
    /// Where the next length or reference is, in bits.
    rest: u64,
    /// Where the next packed hunk lies in the file.
    offset: u64,
    /// The last reference to the parent, in units, and to this file.
    parent: u64,
    own: u32,
    /// How often the last type is repeated.
    repeat: u16,
    symbol: u8,
}

/// An entry as version 5 stores it without packing: what the map's CRC is of.
#[derive(Debug, Clone, Copy)]
struct Entry {
    kind: u8,
    length: u32,
    offset: u64,
    crc: u16,
}

impl Entry {
    fn bytes(self) -> [u8; 12] {
        let [_, length @ ..] = self.length.to_be_bytes();
        let [_, _, offset @ ..] = self.offset.to_be_bytes();
        let mut bytes = [0; 12];
        bytes[0] = self.kind;
        bytes[1..4].copy_from_slice(&length);
        bytes[4..10].copy_from_slice(&offset);
        bytes[10..].copy_from_slice(&self.crc.to_be_bytes());
        bytes
    }
}

const STORED: u8 = 4;
const OWN: u8 = 5;
const PARENT: u8 = 6;

impl PackedMap {
    /// The map at `at` of `source`.
    pub fn read(source: &dyn ByteSource, at: u64, shape: Shape) -> io::Result<Self> {
        let mut header = [0; HEADER as usize];
        source.read_exact_at(&mut header, at)?;
        let [l0, l1, l2, l3, o0, o1, o2, o3, o4, o5, c0, c1, length, own, parent, _] = header;
        let len = u32::from_be_bytes([l0, l1, l2, l3]);
        let start = at + HEADER;
        if source.len().checked_sub(start).is_none_or(|room| u64::from(len) > room) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        // No type and no number of a hunk has more bits than this; the code before them is short.
        if u64::from(len) > 8 * u64::from(shape.hunks) + 64 {
            return Err(damaged("it is longer than its hunks need"));
        }
        let widths = [length, own, parent].map(u32::from);
        if widths.iter().any(|&width| width > 32) || widths[0] > 24 {
            return Err(damaged("numbers of impossible length"));
        }
        let mut bytes = vec![0; len as usize];
        source.read_exact_at(&mut bytes, start)?;

        let mut types = Bits::new(&bytes, 0);
        let code = Huffman::with_runs(&mut types, 16, 8)?;
        let offset = u64::from_be_bytes([0, 0, o0, o1, o2, o3, o4, o5]);
        let first = State { types: types.at(), offset, ..State::default() };
        let mut map = Self { bytes, code, widths, shape, states: Vec::new() };
        map.index(first, u16::from_be_bytes([c0, c1]))?;
        Ok(map)
    }

    /// Decodes everything once: finds where the types end, keeps states, holds the CRC against the entries.
    fn index(&mut self, first: State, crc: u16) -> io::Result<()> {
        let mut state = first;
        for _ in 0..self.shape.hunks {
            self.symbol(&mut state)?;
        }
        let mut state = State { rest: state.types, ..first };
        let mut found = crc16::START;
        for hunk in 0..self.shape.hunks {
            if hunk % STEP == 0 {
                self.states.push(state);
            }
            found = crc16::update(found, &self.next(&mut state, hunk)?.bytes());
        }
        if found == crc { Ok(()) } else { Err(damaged("its CRC is wrong")) }
    }

    /// The next type, with repetitions resolved.
    fn symbol(&self, state: &mut State) -> io::Result<u8> {
        if state.repeat > 0 {
            state.repeat -= 1;
            return Ok(state.symbol);
        }
        let mut bits = Bits::new(&self.bytes, state.types);
        let mut symbol = self.code.symbol(&mut bits)? as u8;
        match symbol {
            7 => {
                state.repeat = 2 + self.code.symbol(&mut bits)?;
                symbol = state.symbol;
            }
            8 => {
                state.repeat = 2 + 16 + (self.code.symbol(&mut bits)? << 4);
                state.repeat += self.code.symbol(&mut bits)?;
                symbol = state.symbol;
            }
            _ => state.symbol = symbol,
        }
        state.types = bits.at();
        Ok(symbol)
    }

    fn next(&self, state: &mut State, hunk: u32) -> io::Result<Entry> {
        let Shape { hunk_bytes, unit_bytes, .. } = self.shape;
        let units = u64::from(hunk_bytes / unit_bytes.max(1));
        let mut symbol = self.symbol(state)?;
        let mut bits = Bits::new(&self.bytes, state.rest);
        let mut entry = Entry { kind: symbol, length: 0, offset: state.offset, crc: 0 };
        match symbol {
            0..=STORED => {
                entry.length = if symbol == STORED { hunk_bytes } else { bits.take(self.widths[0])? };
                entry.crc = bits.take(16)? as u16;
                state.offset = state.offset.saturating_add(u64::from(entry.length));
            }
            OWN => state.own = bits.take(self.widths[1])?,
            PARENT => state.parent = u64::from(bits.take(self.widths[2])?),
            9 => symbol = OWN,
            10 => {
                state.own = state.own.saturating_add(1);
                symbol = OWN;
            }
            11 => state.parent = u64::from(hunk) * units,
            12 => {}
            13 => state.parent = state.parent.saturating_add(units),
            _ => return Err(damaged("a hunk is of no known type")),
        }
        match symbol {
            0..=STORED => {}
            OWN => (entry.kind, entry.offset) = (OWN, u64::from(state.own)),
            _ => (entry.kind, entry.offset) = (PARENT, state.parent),
        }
        state.rest = bits.at();
        Ok(entry)
    }

    /// Where hunk `number` is.
    pub fn hunk(&self, number: u32) -> io::Result<Hunk> {
        let outside = || damaged("a hunk is outside the map");
        let mut state = self.states.get((number / STEP) as usize).copied().ok_or_else(outside)?;
        let start = number - number % STEP;
        for before in start..number {
            self.next(&mut state, before)?;
        }
        let Entry { kind, length, offset, crc } = self.next(&mut state, number)?;
        Ok(match kind {
            OWN => Hunk { kind: Kind::Same(offset), check: Check::None },
            PARENT => {
                let start = offset.checked_mul(u64::from(self.shape.unit_bytes)).ok_or_else(outside)?;
                Hunk { kind: Kind::Parent(start), check: Check::None }
            }
            STORED => Hunk { kind: Kind::Stored(offset), check: Check::Crc16(crc) },
            _ => {
                let codec = self.shape.codecs.get(usize::from(kind)).copied().flatten();
                let codec =
                    codec.ok_or_else(|| damaged("a hunk is packed by a codec that the header does not name"))?;
                Hunk { kind: Kind::Packed { codec, offset, len: length }, check: Check::Crc16(crc) }
            }
        })
    }
}
