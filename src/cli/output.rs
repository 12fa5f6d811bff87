//! What verbs print.

use std::io::{self, BufWriter, Write};

use super::CliError;

/// Lets `print` write to standard output. A reader that leaves early, such as `head`, is no failure.
///
/// # Errors
/// When standard output does not take it.
pub fn output(print: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), CliError> {
    let mut out = BufWriter::new(io::stdout().lock());
    match print(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
            // What is still buffered has nowhere to go.
            drop(out.into_parts());
            Ok(())
        }
        result => Ok(result?),
    }
}

/// `text` from a disc, harmless for a terminal: control characters, characters that turn the direction of writing,
/// and bytes that are no UTF-8 are shown as escapes, and so is a backslash.
#[must_use]
pub fn printable(text: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    for chunk in text.utf8_chunks() {
        for c in chunk.valid().chars() {
            if acts(c) || c == '\\' {
                out.extend(c.escape_default());
            } else {
                out.push(c);
            }
        }
        for byte in chunk.invalid() {
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
    out
}

/// A message that may have text from a disc in it, harmless for a terminal. A backslash stays what it is.
#[must_use]
pub fn message(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if acts(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

/// Whether a terminal does something else with it than to show it.
fn acts(c: char) -> bool {
    let turns = matches!(c, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{61C}');
    c.is_control() || turns || matches!(c, '\u{2028}' | '\u{2029}')
}

/// A name or the names on a path, joined; a slash inside a name is shown as an escape.
#[must_use]
pub fn printable_path(names: &[Vec<u8>]) -> String {
    let names: Vec<_> = names.iter().map(|name| printable(name).replace('/', "\\x2f")).collect();
    names.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_a_disc_moves_the_cursor() {
        assert_eq!(printable(b"a\x1B[2J\r\n\x07"), "a\\u{1b}[2J\\r\\n\\u{7}");
        assert_eq!(printable("\u{9B}2J\u{202E}gnp".as_bytes()), "\\u{9b}2J\\u{202e}gnp");
        assert_eq!(printable(b"caf\xE9\\"), "caf\\xe9\\\\");
        assert_eq!(printable("gr\u{FC}n \u{1F600}".as_bytes()), "gr\u{FC}n \u{1F600}");
        assert_eq!(message("C:\\a\x1B[2J\n: gr\u{FC}n\u{202E}"), "C:\\a\\u{1b}[2J\\n: gr\u{FC}n\\u{202e}");
        assert_eq!(printable_path(&[b"a/b".to_vec(), b"c".to_vec()]), "a\\x2fb/c");
    }
}
