//! The bits of a deflate stream, and the codes that they make (RFC 1951, 3.2).

use std::io;

use crate::container::damaged;

/// Bits that a table is looked up by.
const FAST: u32 = 11;
const LONGEST: usize = 15;

/// The stream is damaged.
pub fn broken() -> io::Error {
    damaged("a deflate stream is damaged")
}

/// Bits of the input, the lowest of each byte first; zeros after its end.
pub struct Bits<'a> {
    input: &'a [u8],
    /// Above the lowest `count` bits may be some of those that follow.
    held: u64,
    count: u32,
    /// How many of the bits are not the input's.
    beyond: u32,
}

impl<'a> Bits<'a> {
    pub fn of(input: &'a [u8]) -> Self {
        Self { input, held: 0, count: 0, beyond: 0 }
    }

    /// At least 56 bits are held afterwards.
    #[inline(always)]
    pub fn fill(&mut self) -> io::Result<()> {
        let Some(next) = self.input.first_chunk::<8>() else { return self.fill_at_end() };
        self.held |= u64::from_le_bytes(*next) << self.count;
        self.input = &self.input[((self.count ^ 63) / 8) as usize..];
        self.count |= 56;
        Ok(())
    }

    #[cold]
    #[inline(never)]
    fn fill_at_end(&mut self) -> io::Result<()> {
        self.check()?;
        while self.count < 56 {
            match self.input.split_first() {
                Some((&byte, rest)) => {
                    self.held |= u64::from(byte) << self.count;
                    self.input = rest;
                }
                None => self.beyond += 8,
            }
            self.count += 8;
        }
        Ok(())
    }

    /// Whether all bits that were taken are the input's.
    pub fn check(&self) -> io::Result<()> {
        if self.beyond > self.count { Err(broken()) } else { Ok(()) }
    }

    /// Bits that are held.
    #[inline(always)]
    pub fn held(&mut self, bits: u32) -> u32 {
        let taken = self.held & ((1 << bits) - 1);
        self.held >>= bits;
        self.count -= bits;
        taken as u32
    }

    /// Leaves the rest of a byte that was begun.
    pub fn skip_to_byte(&mut self) {
        self.held(self.count % 8);
    }

    /// At most 32 bits.
    pub fn take(&mut self, bits: u32) -> io::Result<u32> {
        self.fill()?;
        Ok(self.held(bits))
    }
}

/// What a code stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `value` itself.
    Literal,
    /// A length or a distance: `value`, and what the bits after the code add.
    Copy,
    /// The end of the block.
    End,
    /// Nothing.
    None,
}

/// A code's meaning; four bytes, so that the tables stay in the processor's nearest cache.
#[derive(Clone, Copy)]
pub struct Code {
    pub value: u16,
    pub kind: Kind,
    /// How many bits it has, 0 where it is longer than [`FAST`] or none, and, times 16, how many follow.
    bits: u8,
}

impl Code {
    const NONE: Self = Self::of(0, Kind::None, 0);

    const fn of(value: u16, kind: Kind, extra: u8) -> Self {
        Self { value, kind, bits: extra << 4 }
    }

    /// Of a literal, or a length (3.2.5).
    pub fn literal(symbol: u16) -> Self {
        match symbol {
            0..256 => Self::of(symbol, Kind::Literal, 0),
            256 => Self::of(0, Kind::End, 0),
            257..265 => Self::of(symbol - 254, Kind::Copy, 0),
            265..285 => {
                let extra = (symbol - 261) / 4;
                Self::of(3 + ((4 + (symbol - 261) % 4) << extra), Kind::Copy, extra as u8)
            }
            285 => Self::of(258, Kind::Copy, 0),
            _ => Self::NONE,
        }
    }

    /// Of a distance (3.2.5).
    pub fn distance(symbol: u16) -> Self {
        match symbol {
            0..4 => Self::of(symbol + 1, Kind::Copy, 0),
            4..30 => {
                let extra = symbol / 2 - 1;
                Self::of(1 + ((2 + symbol % 2) << extra), Kind::Copy, extra as u8)
            }
            _ => Self::NONE,
        }
    }

    /// Of a length of a code, or of a repetition (3.2.7).
    pub fn length(symbol: u16) -> Self {
        let extra = match symbol {
            16 => 2,
            17 => 3,
            18 => 7,
            _ => 0,
        };
        Self::of(symbol, Kind::Literal, extra)
    }

    /// How many bits follow it.
    pub fn extra(self) -> u32 {
        u32::from(self.bits >> 4)
    }
}

/// Canonical codes (3.2.2).
pub struct Codes {
    /// By the next bits: the short codes.
    fast: Box<[Code; 1 << FAST]>,
    /// How many codes there are of each length.
    counts: [u16; LONGEST + 1],
    /// All, in order.
    all: Vec<Code>,
}

impl Codes {
    /// Of the symbols from 0 on, of which these are the lengths and `meaning` gives the meanings.
    pub fn new(lengths: &[u8], meaning: impl Fn(u16) -> Code) -> io::Result<Self> {
        let mut counts = [0_u16; LONGEST + 1];
        lengths.iter().for_each(|&length| counts[usize::from(length)] += 1);
        counts[0] = 0;
        let mut left = 1_i32;
        for count in &counts[1..] {
            left = (left << 1) - i32::from(*count);
            if left < 0 {
                return Err(broken());
            }
        }
        let mut all = Vec::with_capacity(lengths.len());
        let mut fast = Box::new([Code::NONE; 1 << FAST]);
        let mut next = 0_u32;
        for length in 1..=LONGEST as u8 {
            let some = counts[usize::from(length)] > 0;
            for (symbol, _) in (0..).zip(lengths).filter(|(_, own)| some && **own == length) {
                let code = meaning(symbol);
                all.push(code);
                if u32::from(length) <= FAST {
                    let first = (next.reverse_bits() >> (32 - length)) as usize;
                    let code = Code { bits: code.bits | length, ..code };
                    fast[first..].iter_mut().step_by(1 << length).for_each(|entry| *entry = code);
                }
                next += 1;
            }
            next <<= 1;
        }
        Ok(Self { fast, counts, all })
    }

    /// Takes the next code, whose bits must be held.
    #[inline(always)]
    pub fn decode(&self, bits: &mut Bits<'_>) -> io::Result<Code> {
        let code = self.fast[bits.held as usize & ((1 << FAST) - 1)];
        match code.bits & 15 {
            0 => self.decode_long(bits),
            length => {
                bits.held(length.into());
                Ok(code)
            }
        }
    }

    #[cold]
    fn decode_long(&self, bits: &mut Bits<'_>) -> io::Result<Code> {
        let (mut code, mut first, mut index) = (0, 0, 0);
        for count in &self.counts[1..] {
            code |= bits.held(1);
            if code < first + u32::from(*count) {
                return self.all.get((index + code - first) as usize).copied().ok_or_else(broken);
            }
            index += u32::from(*count);
            first = (first + u32::from(*count)) << 1;
            code <<= 1;
        }
        Err(broken())
    }
}
