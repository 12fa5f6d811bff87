//! Descriptors that are text: encodings, lines, words. What names files stays bytes, as file names are.

use super::{ImageError, ImageErrorKind, Probe};
use crate::source::ByteSource;

/// The longest descriptor that is read: 99 tracks with CD-TEXT in eight languages are a tenth of this.
const LONGEST: u64 = 4 << 20;

/// The whole text of a file: without a byte order mark, and as UTF-8 where it was UTF-16. Other encodings stay as they are.
///
/// # Errors
/// When it is too long for a descriptor, or cannot be read.
pub fn read(source: &dyn ByteSource) -> Result<Vec<u8>, ImageError> {
    if source.len() > LONGEST {
        return Err(ImageError::new(ImageErrorKind::Limit, "the text is too long for a description of a disc"));
    }
    let mut bytes = vec![0; source.len() as usize];
    source.read_exact_at(&mut bytes, 0).map_err(ImageError::io)?;
    Ok(decoded(&bytes))
}

/// The start of a file, as text; nothing when it is none: text has no zero bytes.
#[must_use]
pub fn head(probe: &Probe<'_>) -> Option<Vec<u8>> {
    let text = decoded(&probe.head);
    (!text.is_empty() && !text.contains(&0)).then_some(text)
}

fn decoded(bytes: &[u8]) -> Vec<u8> {
    let utf_16 = |bytes: &[u8], to_unit: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes.chunks_exact(2).map(|unit| to_unit([unit[0], unit[1]])).collect();
        String::from_utf16_lossy(&units).into_bytes()
    };
    match bytes {
        [0xEF, 0xBB, 0xBF, rest @ ..] => rest.to_vec(),
        [0xFF, 0xFE, rest @ ..] => utf_16(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => utf_16(rest, u16::from_be_bytes),
        _ => bytes.to_vec(),
    }
}

/// The lines with their numbers from 1, without what ends them.
pub fn lines(text: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut at = 0;
    (1..).map_while(move |number| {
        let rest = text.get(at..).filter(|rest| !rest.is_empty())?;
        let end = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(rest.len());
        at += end + if rest[end..].starts_with(b"\r\n") { 2 } else { 1 };
        Some((number, &rest[..end]))
    })
}

/// The words of a line: apart by blanks, or in quotation marks. A quotation that does not end goes to the end of the line.
#[must_use]
pub fn words(line: &[u8]) -> Vec<&[u8]> {
    let mut words = Vec::new();
    let mut rest = line;
    loop {
        rest = rest.trim_ascii_start();
        let (word, after) = match rest {
            [] => return words,
            [b'"', quoted @ ..] => {
                let end = quoted.iter().position(|&byte| byte == b'"').unwrap_or(quoted.len());
                (&quoted[..end], quoted.get(end + 1..).unwrap_or_default())
            }
            plain => plain.split_at(plain.iter().position(u8::is_ascii_whitespace).unwrap_or(plain.len())),
        };
        words.push(word);
        rest = after;
    }
}

/// The number that a word is, in decimal.
#[must_use]
pub fn number(word: &[u8]) -> Option<u32> {
    std::str::from_utf8(word).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?.parse().ok()
}

/// The frames of `mm:ss:ff`, where minutes may have any number of digits.
#[must_use]
pub fn time(word: &[u8]) -> Option<u32> {
    let mut parts = word.split(|&byte| byte == b':').map(number);
    let (minutes, seconds, frames) = (parts.next()??, parts.next()??, parts.next()??);
    if parts.next().is_some() || seconds >= 60 || frames >= 75 {
        return None;
    }
    minutes.checked_mul(60 * 75)?.checked_add(seconds * 75 + frames)
}

/// What people read: UTF-8, else Shift-JIS where the bytes are nothing but that, else Windows-1252.
#[must_use]
pub fn readable(bytes: &[u8]) -> String {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return text.to_owned();
    }
    let (japanese, wrong) = encoding_rs::SHIFT_JIS.decode_without_bom_handling(bytes);
    // A single byte above ASCII is half a character there, and a letter with an accent here.
    if !wrong && japanese.chars().filter(|c| !c.is_ascii()).all(|c| ('\u{3000}'..='\u{FEFF}').contains(&c)) {
        return japanese.into_owned();
    }
    encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned()
}

/// `digits` of a media catalogue number.
#[must_use]
pub fn catalogue_number(digits: &[u8]) -> Option<[u8; 13]> {
    digits.try_into().ok().filter(|digits: &[u8; 13]| digits.iter().all(u8::is_ascii_digit))
}

/// An ISRC: twelve characters, with or without hyphens.
#[must_use]
pub fn isrc(word: &[u8]) -> Option<[u8; 12]> {
    let code: Vec<u8> = word.iter().filter(|&&byte| byte != b'-').map(u8::to_ascii_uppercase).collect();
    let code: [u8; 12] = code.try_into().ok()?;
    let (owner, number) = code.split_at(5);
    (owner.iter().all(u8::is_ascii_alphanumeric) && number.iter().all(u8::is_ascii_digit)).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_words_of_every_system() {
        let text: Vec<_> = lines(b"a\r\nb\rc\n\nd").collect();
        assert_eq!(text, [(1, &b"a"[..]), (2, b"b"), (3, b"c"), (4, b""), (5, b"d")]);
        assert_eq!(words(b"  FILE \"my disc.bin\"\tBINARY "), [&b"FILE"[..], b"my disc.bin", b"BINARY"]);
        assert_eq!(words(b"TITLE \"no end"), [&b"TITLE"[..], b"no end"]);
        assert_eq!(words(b"\"\" x"), [&b""[..], b"x"]);
    }

    #[test]
    fn times_are_held_to_their_limits() {
        assert_eq!(time(b"00:02:00"), Some(150));
        assert_eq!(time(b"120:59:74"), Some(120 * 4500 + 59 * 75 + 74));
        for wrong in
            [&b"00:00:75"[..], b"00:60:00", b"xx:yy:zz", b"1:2", b"1:2:3:4", b"", b"+1:00:00", b"4294967295:0:0"]
        {
            assert_eq!(time(wrong), None);
        }
    }

    #[test]
    fn old_encodings_can_be_read() {
        assert_eq!(readable("Ärzte".as_bytes()), "Ärzte");
        assert_eq!(readable(b"\xC4rzte"), "Ärzte");
        assert_eq!(readable(b"\x93\xFA\x96\x7B"), "日本");
        assert_eq!(decoded(b"\xFF\xFEA\0\xC4\0"), "AÄ".as_bytes());
        assert_eq!(decoded(b"\xFE\xFF\0A"), b"A");
    }

    #[test]
    fn codes_are_twelve_and_thirteen_characters() {
        assert_eq!(isrc(b"US-XX1-98-01234").as_ref(), Some(b"USXX19801234"));
        assert_eq!(isrc(b"USXX1980123"), None);
        assert_eq!(isrc(b"USXX1980123X"), None);
        assert_eq!(catalogue_number(b"0000010271955").as_ref(), Some(b"0000010271955"));
        assert_eq!(catalogue_number(b"123456789b123"), None);
    }
}
