//! Language codes of CD-TEXT (EBU Tech 3264, appendix 3).

/// From code 01h on.
const EUROPEAN: &str = "\
    Albanian, Breton, Catalan, Croatian, Welsh, Czech, Danish, German, English, Spanish, Esperanto, Estonian, \
    Basque, Faroese, French, Frisian, Irish, Gaelic, Galician, Icelandic, Italian, Sami, Latin, Latvian, \
    Luxembourgish, Lithuanian, Hungarian, Maltese, Dutch, Norwegian, Occitan, Polish, Portuguese, Romanian, \
    Romansh, Serbian, Slovak, Slovenian, Finnish, Swedish, Turkish, Flemish, Walloon";

/// From code 45h on.
const OTHER: &str = "\
    Zulu, Vietnamese, Uzbek, Urdu, Ukrainian, Thai, Telugu, Tatar, Tamil, Tajik, Swahili, Sranan Tongo, Somali, \
    Sinhala, Shona, Serbo-Croatian, Ruthenian, Russian, Quechua, Pashto, Punjabi, Persian, Papiamento, Odia, \
    Nepali, Ndebele, Marathi, Moldovan, Malay, Malagasy, Macedonian, Lao, Korean, Khmer, Kazakh, Kannada, Japanese, \
    Indonesian, Hindi, Hebrew, Hausa, Guarani, Gujarati, Greek, Georgian, Fula, Dari, Chuvash, Chinese, Burmese, \
    Bulgarian, Bengali, Belarusian, Bambara, Azerbaijani, Assamese, Armenian, Arabic, Amharic";

/// The English name of a language; nothing for a code that has none.
#[must_use]
pub fn name(code: u8) -> Option<&'static str> {
    let from = |first: u8, names: &'static str| names.split(", ").nth(usize::from(code.checked_sub(first)?));
    from(0x45, OTHER).or_else(|| from(0x01, EUROPEAN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_at_the_ends_of_both_tables() {
        let known = [(0x01, "Albanian"), (0x09, "English"), (0x2B, "Walloon"), (0x45, "Zulu"), (0x7F, "Amharic")];
        for (code, language) in known.into_iter().chain([(0x69, "Japanese"), (0x08, "German"), (0x56, "Russian")]) {
            assert_eq!(name(code), Some(language));
        }
        assert_eq!([0, 0x2C, 0x44, 0x80, 0xFF].map(name), [None; 5]);
    }
}
