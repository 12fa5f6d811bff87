//! Joliet: a supplementary descriptor whose names are UCS-2 (Joliet Specification, 1995).

/// The UCS-2 level (1 to 3) that the escape sequences of a supplementary descriptor name, if they name one.
pub(super) fn level(escapes: &[u8]) -> Option<u8> {
    // Several sequences may stand one after another; the first of these decides.
    escapes.windows(3).find_map(|sequence| match sequence {
        b"%/@" => Some(1),
        b"%/C" => Some(2),
        b"%/E" => Some(3),
        _ => None,
    })
}

/// A name or identifier: big-endian UCS-2. Pairs of surrogates are taken as UTF-16, which later writers use.
pub(super) fn text(bytes: &[u8]) -> String {
    let units = bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_three_escape_sequences_are_joliet() {
        assert_eq!(level(b"%/@\0\0"), Some(1));
        assert_eq!(level(b"%/C\0"), Some(2));
        assert_eq!(level(b"\0%/E"), Some(3));
        assert_eq!(level(b"%/G"), None);
        assert_eq!(level(&[0; 32]), None);
    }

    #[test]
    fn broken_surrogates_become_replacement_characters() {
        assert_eq!(text(&[0, b'a', 0xD8, 0, 0x20, 0xAC]), "a\u{FFFD}\u{20AC}");
        assert_eq!(text(&[0xD8, 0x3D, 0xDE, 0x00, 7]), "\u{1F600}");
    }
}
