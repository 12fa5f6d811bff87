//! Sections of keys and values.

use std::collections::BTreeMap;

use super::super::text::lines;

/// Values by section and key, both in upper case.
#[derive(Debug, Default)]
pub struct Ini(BTreeMap<Vec<u8>, Section>);

/// Values by key.
#[derive(Debug, Default)]
pub struct Section(BTreeMap<Vec<u8>, Vec<u8>>);

impl Ini {
    /// The sections of a text; lines that are neither a section nor a key are left alone. Of a key that is there twice the first
    /// counts.
    pub fn of(text: &[u8]) -> Self {
        let mut ini = Self::default();
        let mut section = Vec::new();
        for (_, line) in lines(text) {
            let line = line.trim_ascii();
            if let [b'[', name @ .., b']'] = line {
                section = name.trim_ascii().to_ascii_uppercase();
                ini.0.entry(section.clone()).or_default();
            } else if let Some(at) = line.iter().position(|&byte| byte == b'=') {
                let (key, value) = (line[..at].trim_ascii().to_ascii_uppercase(), line[at + 1..].trim_ascii());
                let keys = &mut ini.0.entry(section.clone()).or_default().0;
                keys.entry(key).or_insert_with(|| value.to_vec());
            }
        }
        ini
    }

    pub fn section(&self, name: &str) -> Option<&Section> {
        self.0.get(name.as_bytes())
    }

    /// The sections `name` 0, `name` 1 and so on, as long as there are any, at most `most`.
    pub fn numbered(&self, name: &str, most: usize) -> impl Iterator<Item = &Section> {
        (0..most).map_while(move |number| self.section(&format!("{name} {number}")))
    }
}

impl Section {
    pub fn text(&self, key: &str) -> Option<&[u8]> {
        self.0.get(key.as_bytes()).map(Vec::as_slice)
    }

    /// A number, decimal or after `0x`.
    pub fn number(&self, key: &str) -> Option<i32> {
        let text = std::str::from_utf8(self.text(key)?).ok()?;
        let lower = text.to_ascii_lowercase();
        match lower.strip_prefix("0x") {
            Some(digits) => i32::from_str_radix(digits, 16).ok(),
            None => lower.parse().ok(),
        }
    }
}
