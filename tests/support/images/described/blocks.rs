//! Blocks of 2,048 bytes as values: what the builders of compressed files wrap.

/// What a run of blocks holds.
#[derive(Debug, Clone, Copy)]
enum Content {
    Text,
    /// Nothing that becomes shorter.
    Noise,
    Zeros,
    /// Calls, as a filter for x86 code looks for.
    Code,
}

/// A volume of `blocks` blocks, at least 18, in runs of `run` blocks of one kind.
pub fn volume(blocks: u32, run: u32) -> Vec<u8> {
    const KINDS: [Content; 4] = [Content::Text, Content::Noise, Content::Zeros, Content::Code];
    let mut state = 0x2545_F491_4F6C_DD1D;
    let mut all: Vec<u8> = (0..blocks).flat_map(|at| block(at, KINDS[(at / run) as usize % 4], &mut state)).collect();
    let descriptor = &mut all[16 * 2048..18 * 2048];
    descriptor.fill(0);
    descriptor[..7].copy_from_slice(b"\x01CD001\x01");
    descriptor[40..72].copy_from_slice(b"DESCRIBED                       ");
    descriptor[80..84].copy_from_slice(&blocks.to_le_bytes());
    descriptor[84..88].copy_from_slice(&blocks.to_be_bytes());
    descriptor[128..132].copy_from_slice(&[0, 8, 8, 0]);
    descriptor[2048..2055].copy_from_slice(b"\xFFCD001\x01");
    all
}

fn block(at: u32, content: Content, state: &mut u64) -> Vec<u8> {
    let mut noise = move || {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        *state
    };
    match content {
        Content::Zeros => vec![0; 2048],
        Content::Noise => (0..256).flat_map(|_| noise().to_le_bytes()).collect(),
        Content::Text => (0..128).flat_map(|line| format!("{at:08} {line:06}\n").into_bytes()).collect(),
        Content::Code => (0..128)
            .flat_map(|call: u32| {
                // push ebp; call to one place from everywhere; a few bytes.
                let to = 0x0004_0000_u32.wrapping_sub((at * 128 + call) * 16 + 6);
                [&[0x55, 0xE8][..], &to.to_le_bytes(), &[0x83, 0xC4, 4, 0x89], &noise().to_le_bytes()[..6]].concat()
            })
            .collect(),
    }
}
