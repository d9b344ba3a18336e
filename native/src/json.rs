//! A reader of JSON that takes only what leaves no doubt. `None` from any method: somebody else has to look at it.

use std::borrow::Cow;

/// Levels of what is passed over.
const DEPTH_MAX: usize = 16;
/// Digits of a number that is passed over: every reader takes it for the same.
const DIGITS_MAX: usize = 15;

pub struct Json<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Json<'a> {
    pub fn new(text: &'a str) -> Self {
        Json {
            text,
            bytes: text.as_bytes(),
            at: 0,
        }
    }

    /// The next byte that is no blank; it is not read. 0 at the end: that begins nothing.
    pub fn peek(&mut self) -> u8 {
        while let Some(byte) = self.bytes.get(self.at) {
            match byte {
                b' ' | b'\t' | b'\n' | b'\r' => self.at += 1,
                _ => return *byte,
            }
        }
        0
    }

    pub fn place(&self) -> usize {
        self.at
    }

    pub fn since(&self, place: usize) -> &'a str {
        &self.text[place..self.at]
    }

    pub fn expect(&mut self, byte: u8) -> Option<()> {
        if self.peek() != byte {
            return None;
        }
        self.at += 1;
        Some(())
    }

    /// Whether nothing follows.
    pub fn is_done(&mut self) -> bool {
        self.peek() == 0 && self.at == self.bytes.len()
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        let end = self.at + word.len();
        if self.bytes.get(self.at..end)? != word {
            return None;
        }
        self.at = end;
        Some(())
    }

    /// Whether the next value is null; if so, it is read.
    pub fn null(&mut self) -> Option<bool> {
        if self.peek() != b'n' {
            return Some(false);
        }
        self.word(b"null").map(|()| true)
    }

    pub fn bool(&mut self) -> Option<bool> {
        match self.peek() {
            b't' => self.word(b"true").map(|()| true),
            b'f' => self.word(b"false").map(|()| false),
            _ => None,
        }
    }

    /// The next member of an object that was begun; `Some(None)` at its end.
    pub fn member(&mut self, is_first: &mut bool) -> Option<Option<&'a str>> {
        if self.peek() == b'}' {
            self.at += 1;
            return Some(None);
        }
        if !*is_first {
            self.expect(b',')?;
        }
        *is_first = false;
        let name = self.plain()?;
        self.expect(b':')?;
        Some(Some(name))
    }

    /// A string without an escape.
    pub fn plain(&mut self) -> Option<&'a str> {
        let (raw, is_escaped) = self.raw()?;
        (!is_escaped).then_some(raw)
    }

    pub fn string(&mut self) -> Option<Cow<'a, str>> {
        let (raw, is_escaped) = self.raw()?;
        if is_escaped {
            return unescaped(raw).map(Cow::Owned);
        }
        Some(Cow::Borrowed(raw))
    }

    /// What stands between two quotes, and whether there is an escape in it.
    fn raw(&mut self) -> Option<(&'a str, bool)> {
        self.expect(b'"')?;
        let begin = self.at;
        let mut is_escaped = false;
        loop {
            match *self.bytes.get(self.at)? {
                b'"' => break,
                b'\\' => {
                    is_escaped = true;
                    self.at += 2;
                }
                0..=0x1f => return None,
                _ => self.at += 1,
            }
        }
        let raw = self.text.get(begin..self.at)?;
        self.at += 1;
        Some((raw, is_escaped))
    }

    /// A number without an exponent and sign: its digits before and behind the point.
    pub fn decimal(&mut self) -> Option<(&'a str, &'a str)> {
        self.peek();
        let begin = self.at;
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        let whole = &self.text[begin..self.at];
        if whole.is_empty() || (whole.len() > 1 && whole.starts_with('0')) {
            return None;
        }
        let mut fraction = "";
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            let point = self.at;
            while self.bytes.get(self.at).is_some_and(u8::is_ascii_digit) {
                self.at += 1;
            }
            fraction = &self.text[point..self.at];
            if fraction.is_empty() {
                return None;
            }
        }
        self.ends_here().then_some((whole, fraction))
    }

    fn ends_here(&self) -> bool {
        matches!(
            self.bytes.get(self.at),
            None | Some(b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r')
        )
    }

    /// Pass over a value.
    pub fn skip(&mut self) -> Option<()> {
        self.skip_at(0)
    }

    fn skip_at(&mut self, depth: usize) -> Option<()> {
        if depth > DEPTH_MAX {
            return None;
        }
        match self.peek() {
            b'"' => self.string().map(|_| ()),
            b't' | b'f' => self.bool().map(|_| ()),
            b'n' => self.null().map(|_| ()),
            b'{' => {
                self.at += 1;
                let mut is_first = true;
                while self.member(&mut is_first)?.is_some() {
                    self.skip_at(depth + 1)?;
                }
                Some(())
            }
            b'[' => {
                self.at += 1;
                if self.peek() == b']' {
                    self.at += 1;
                    return Some(());
                }
                loop {
                    self.skip_at(depth + 1)?;
                    match self.peek() {
                        b',' => self.at += 1,
                        b']' => {
                            self.at += 1;
                            return Some(());
                        }
                        _ => return None,
                    }
                }
            }
            first => {
                if first == b'-' {
                    self.at += 1;
                }
                let (whole, fraction) = self.decimal()?;
                (whole.len() + fraction.len() <= DIGITS_MAX).then_some(())
            }
        }
    }
}

/// A string with its escapes read; `None` also for halves of a surrogate pair that stand alone.
fn unescaped(raw: &str) -> Option<String> {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(place) = rest.find('\\') {
        text.push_str(&rest[..place]);
        rest = &rest[place + 1..];
        let escape = *rest.as_bytes().first()?;
        rest = rest.get(1..)?;
        text.push(match escape {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = unit(rest)?;
                rest = &rest[4..];
                if (0xd800..0xdc00).contains(&first) {
                    let second = unit(rest.strip_prefix("\\u")?)?;
                    rest = &rest[6..];
                    if !(0xdc00..0xe000).contains(&second) {
                        return None;
                    }
                    char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00))?
                } else {
                    char::from_u32(first)?
                }
            }
            _ => return None,
        });
    }
    text.push_str(rest);
    Some(text)
}

fn unit(rest: &str) -> Option<u32> {
    let digits = rest.get(..4)?;
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    u32::from_str_radix(digits, 16).ok()
}
