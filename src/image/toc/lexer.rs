//! Words, quotations and braces, without comments.

/// A piece of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    /// Anything between blanks.
    Word(Vec<u8>),
    /// What was in quotation marks.
    Quoted(Vec<u8>),
    Open,
    Close,
    Comma,
    Colon,
}

/// The tokens of a text, each with its line.
pub struct Lexer<'a> {
    rest: &'a [u8],
    line: usize,
}

impl<'a> Lexer<'a> {
    pub fn new(text: &'a [u8]) -> Self {
        Self { rest: text, line: 1 }
    }

    /// The line that the last token was on, from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    fn skip(&mut self, bytes: usize) {
        let (gone, rest) = self.rest.split_at(bytes.min(self.rest.len()));
        self.line += gone.iter().filter(|&&byte| byte == b'\n').count();
        self.rest = rest;
    }

    /// Up to the closing mark. A backslash takes the character after it as it is, or three octal digits as a byte.
    fn quotation(&mut self) -> Vec<u8> {
        let (mut text, mut at) = (Vec::new(), 1);
        loop {
            match self.rest[at.min(self.rest.len())..] {
                [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..] => {
                    text.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                    at += 4;
                }
                [b'\\', escaped, ..] => {
                    text.push(escaped);
                    at += 2;
                }
                [b'"', ..] | [] => break,
                [byte, ..] => {
                    text.push(byte);
                    at += 1;
                }
            }
        }
        self.skip(at + 1);
        text
    }
}

impl Iterator for Lexer<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        loop {
            let blanks = self.rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            self.skip(blanks);
            if !self.rest.starts_with(b"//") {
                break;
            }
            let comment = self.rest.iter().take_while(|&&byte| byte != b'\n' && byte != b'\r').count();
            self.skip(comment);
        }
        let single = match self.rest.first()? {
            b'"' => return Some(Token::Quoted(self.quotation())),
            b'{' => Some(Token::Open),
            b'}' => Some(Token::Close),
            b',' => Some(Token::Comma),
            b':' => Some(Token::Colon),
            _ => None,
        };
        if let Some(token) = single {
            self.skip(1);
            return Some(token);
        }
        let ends = |byte: u8| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'{' | b'}' | b',');
        let end = self.rest.iter().position(|&byte| ends(byte)).unwrap_or(self.rest.len());
        let word = &self.rest[..end];
        let word = word.windows(2).position(|two| two == b"//").map_or(word, |comment| &word[..comment]);
        let word = word.to_vec();
        self.skip(word.len());
        Some(Token::Word(word))
    }
}
