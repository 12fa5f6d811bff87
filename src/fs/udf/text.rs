//! OSTA compressed Unicode (UDF 2.60, 2.1.1 to 2.1.3).

use super::super::joliet;
use super::super::read::Fields;

/// d-characters: a compression identifier (8 or 16 bits a character), then the characters.
pub(super) fn characters(bytes: &[u8]) -> String {
    match bytes.split_first() {
        // 254 and 255 are those of deleted names (UDF 2.60, 2.1.1).
        Some((8 | 254, text)) => text.iter().copied().map(char::from).collect(),
        // Big-endian, UTF-16 from 2.60 on; a final odd byte is no character.
        Some((16 | 255, text)) => joliet::text(text),
        _ => String::new(),
    }
}

/// A dstring: d-characters in a fixed field whose last byte counts those in use.
pub(super) fn dstring(field: &[u8]) -> String {
    let used = field.last().map_or(0, |used| usize::from(*used)).min(field.len().saturating_sub(1));
    characters(field.part(0, used)).trim_end_matches(['\0', ' ']).to_owned()
}

/// A symbolic link: path components (ECMA-167, 4/14.16).
pub(super) fn path(mut components: &[u8]) -> Vec<u8> {
    let mut path = Vec::new();
    while let [kind, len, _, _, rest @ ..] = components {
        let name = rest.part(0, usize::from(*len));
        components = rest.get(usize::from(*len)..).unwrap_or(&[]);
        if !path.is_empty() && !path.ends_with(b"/") {
            path.push(b'/');
        }
        match kind {
            1 | 2 => path = vec![b'/'],
            3 => path.extend(b".."),
            4 => path.extend(b"."),
            _ => path.extend(characters(name).into_bytes()),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_widths_are_read() {
        assert_eq!(characters(b"\x08caf\xE9"), "caf\u{E9}");
        assert_eq!(characters(b"\x10\x20\xAC\x00x"), "\u{20AC}x");
        assert_eq!(characters(b"\x07x"), "");
        assert_eq!(dstring(b"\x08AB\0\0\0\0\x03"), "AB");
        assert_eq!(dstring(b"\x08AB\xFF"), "AB");
        assert_eq!(dstring(b""), "");
    }

    #[test]
    fn a_path_is_joined_from_its_components() {
        let link = b"\x02\0\0\0\x05\x04\0\0\x08usr\x03\0\0\0\x05\x02\0\0\x08x\x04\0\0\0";
        assert_eq!(path(link), b"/usr/../x/.");
        assert_eq!(path(b"\x05\xFF\0\0\x08ab"), b"ab");
    }
}
