//! JSON as a tree that loses nothing and costs no neighbour. Pure.
//!
//! Promise: linear time, bounded depth, never a panic. Beyond what the grammar (RFC 8259) asks, it
//! - keeps numbers as they were written, so that ids beyond 2^53 stay exact;
//! - keeps duplicate keys, the last of which wins;
//! - reads half a surrogate pair as U+FFFD, where a strict reader would refuse the whole body.
//!
//! Not here: what any name means (`wire.rs`). Why not `serde_json`: it refuses the third and rounds the first.

use std::borrow::Cow;

/// Deepest nesting taken; Meta's deepest example has eleven levels.
pub(super) const DEPTH_MAX: usize = 64;

/// One JSON value, borrowing from the body wherever nothing was escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node<'a> {
    /// `null`; everywhere the same as an absent key.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as it was written.
    Number(&'a str),
    /// A text, escapes resolved.
    Text(Cow<'a, str>),
    /// An array.
    List(Vec<Node<'a>>),
    /// An object, keys in their order, duplicates kept.
    Map(Vec<(Cow<'a, str>, Node<'a>)>),
}

impl Node<'_> {
    /// What stands under `name`; the last where it stands twice, `None` where it is null.
    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        let Self::Map(fields) = self else { return None };
        let found = fields.iter().rev().find(|(key, _)| key == name);
        found.map(|(_, value)| value).filter(|value| !matches!(value, Self::Null))
    }
}

/// The body stops being JSON at this byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed {
    /// Counted from zero.
    pub(super) at: usize,
}

/// Reads one document, with nothing but white space around it.
pub(super) fn parse(text: &str) -> Result<Node<'_>, Malformed> {
    let mut scanner = Scanner { text, at: 0 };
    // Editors put a byte order mark before what support pastes.
    if text.starts_with('\u{feff}') {
        scanner.at = '\u{feff}'.len_utf8();
    }
    let node = scanner.value(0)?;
    scanner.skip_space();
    if scanner.at == text.len() { Ok(node) } else { Err(scanner.malformed()) }
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    const fn malformed(&self) -> Malformed {
        Malformed { at: self.at }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8) -> Result<(), Malformed> {
        if self.take(byte) { Ok(()) } else { Err(self.malformed()) }
    }

    fn value(&mut self, depth: usize) -> Result<Node<'a>, Malformed> {
        self.skip_space();
        match self.peek() {
            Some(b'"') => self.string().map(Node::Text),
            Some(b'{') => self.map(depth),
            Some(b'[') => self.list(depth),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Node::Bool(true)),
            Some(b'f') => self.word("false", Node::Bool(false)),
            Some(b'n') => self.word("null", Node::Null),
            Some(_) | None => Err(self.malformed()),
        }
    }

    fn word(&mut self, word: &str, node: Node<'a>) -> Result<Node<'a>, Malformed> {
        if !self.rest().starts_with(word.as_bytes()) {
            return Err(self.malformed());
        }
        self.at += word.len();
        Ok(node)
    }

    fn map(&mut self, depth: usize) -> Result<Node<'a>, Malformed> {
        self.open(depth)?;
        let mut fields = Vec::new();
        if self.take(b'}') {
            return Ok(Node::Map(fields));
        }
        loop {
            self.skip_space();
            let key = self.string()?;
            self.skip_space();
            self.expect(b':')?;
            fields.push((key, self.value(depth + 1)?));
            self.skip_space();
            if !self.take(b',') {
                break;
            }
        }
        self.expect(b'}')?;
        Ok(Node::Map(fields))
    }

    fn list(&mut self, depth: usize) -> Result<Node<'a>, Malformed> {
        self.open(depth)?;
        let mut items = Vec::new();
        if self.take(b']') {
            return Ok(Node::List(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.skip_space();
            if !self.take(b',') {
                break;
            }
        }
        self.expect(b']')?;
        Ok(Node::List(items))
    }

    /// Steps over an opening bracket, as far as the bound allows.
    fn open(&mut self, depth: usize) -> Result<(), Malformed> {
        if DEPTH_MAX <= depth {
            return Err(self.malformed());
        }
        self.at += 1;
        self.skip_space();
        Ok(())
    }

    fn number(&mut self) -> Result<Node<'a>, Malformed> {
        let start = self.at;
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            if !self.take(b'+') {
                self.take(b'-');
            }
            self.digits()?;
        }
        self.text.get(start..self.at).map(Node::Number).ok_or(self.malformed())
    }

    fn digits(&mut self) -> Result<(), Malformed> {
        let count = self.rest().iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        if count == 0 { Err(self.malformed()) } else { Ok(()) }
    }

    fn string(&mut self) -> Result<Cow<'a, str>, Malformed> {
        self.expect(b'"')?;
        let plain = self.plain()?;
        if self.take(b'"') {
            return Ok(Cow::Borrowed(plain));
        }
        let mut resolved = String::from(plain);
        while !self.take(b'"') {
            self.expect(b'\\')?;
            resolved.push(self.escape()?);
            resolved.push_str(self.plain()?);
        }
        Ok(Cow::Owned(resolved))
    }

    /// What stands before the next quote, escape or control character.
    fn plain(&mut self) -> Result<&'a str, Malformed> {
        let special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..=0x1f);
        let start = self.at;
        self.at += self.rest().iter().position(special).unwrap_or(self.rest().len());
        self.text.get(start..self.at).ok_or(self.malformed())
    }

    /// The character an escape stands for, its backslash taken already.
    fn escape(&mut self) -> Result<char, Malformed> {
        let byte = self.peek().ok_or(self.malformed())?;
        self.at += 1;
        Ok(match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => self.unicode()?,
            _ => {
                self.at -= 1;
                return Err(self.malformed());
            }
        })
    }

    fn unicode(&mut self) -> Result<char, Malformed> {
        let first = self.hex4()?;
        if !(0xd800..0xdc00).contains(&first) {
            return Ok(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        let after_first = self.at;
        if self.rest().starts_with(b"\\u") {
            self.at += 2;
            let second = self.hex4()?;
            if (0xdc00..0xe000).contains(&second) {
                let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
        }
        // Half a pair: what follows it is a character of its own.
        self.at = after_first;
        Ok(char::REPLACEMENT_CHARACTER)
    }

    fn hex4(&mut self) -> Result<u32, Malformed> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            code = code * 16 + digit.ok_or(self.malformed())?;
            self.at += 1;
        }
        Ok(code)
    }
}

#[cfg(test)]
#[path = "json_test.rs"]
pub(super) mod tests;
