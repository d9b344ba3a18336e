//! MessagePack as msgspec writes it: every value in its shortest form. What is in any other form is not read.

/// Writes values behind each other.
#[derive(Default)]
pub struct Writer {
    pub bytes: Vec<u8>,
}

impl Writer {
    pub fn nil(&mut self) {
        self.bytes.push(0xc0);
    }

    pub fn bool(&mut self, value: bool) {
        self.bytes.push(if value { 0xc3 } else { 0xc2 });
    }

    pub fn int(&mut self, value: i64) {
        let out = &mut self.bytes;
        match value {
            0..=0x7f => out.push(value as u8),
            0x80..=0xff => out.extend_from_slice(&[0xcc, value as u8]),
            0x100..=0xffff => {
                out.push(0xcd);
                out.extend_from_slice(&(value as u16).to_be_bytes());
            }
            0x1_0000..=0xffff_ffff => {
                out.push(0xce);
                out.extend_from_slice(&(value as u32).to_be_bytes());
            }
            0x1_0000_0000.. => {
                out.push(0xcf);
                out.extend_from_slice(&value.to_be_bytes());
            }
            -0x20..=-1 => out.push(value as u8),
            -0x80..=-0x21 => out.extend_from_slice(&[0xd0, value as u8]),
            -0x8000..=-0x81 => {
                out.push(0xd1);
                out.extend_from_slice(&(value as i16).to_be_bytes());
            }
            -0x8000_0000..=-0x8001 => {
                out.push(0xd2);
                out.extend_from_slice(&(value as i32).to_be_bytes());
            }
            _ => {
                out.push(0xd3);
                out.extend_from_slice(&value.to_be_bytes());
            }
        }
    }

    pub fn text(&mut self, value: &str) {
        self.utf8(value.as_bytes());
    }

    /// A text whose bytes are known to be one.
    pub fn utf8(&mut self, value: &[u8]) {
        let out = &mut self.bytes;
        match value.len() {
            size @ 0..=31 => out.push(0xa0 | size as u8),
            size @ 32..=0xff => out.extend_from_slice(&[0xd9, size as u8]),
            size @ 0x100..=0xffff => {
                out.push(0xda);
                out.extend_from_slice(&(size as u16).to_be_bytes());
            }
            size => {
                out.push(0xdb);
                out.extend_from_slice(&(size as u32).to_be_bytes());
            }
        }
        out.extend_from_slice(value);
    }

    pub fn array(&mut self, size: usize) {
        let out = &mut self.bytes;
        match size {
            0..=15 => out.push(0x90 | size as u8),
            16..=0xffff => {
                out.push(0xdc);
                out.extend_from_slice(&(size as u16).to_be_bytes());
            }
            _ => {
                out.push(0xdd);
                out.extend_from_slice(&(size as u32).to_be_bytes());
            }
        }
    }

    pub fn map(&mut self, size: usize) {
        let out = &mut self.bytes;
        match size {
            0..=15 => out.push(0x80 | size as u8),
            16..=0xffff => {
                out.push(0xde);
                out.extend_from_slice(&(size as u16).to_be_bytes());
            }
            _ => {
                out.push(0xdf);
                out.extend_from_slice(&(size as u32).to_be_bytes());
            }
        }
    }

    pub fn maybe_int(&mut self, value: Option<i64>) {
        match value {
            Some(value) => self.int(value),
            None => self.nil(),
        }
    }

    pub fn maybe_text(&mut self, value: Option<&str>) {
        match value {
            Some(value) => self.text(value),
            None => self.nil(),
        }
    }

    /// A member of a map.
    pub fn member_int(&mut self, name: &str, value: Option<i64>) {
        self.text(name);
        self.maybe_int(value);
    }

    pub fn member_text(&mut self, name: &str, value: Option<&str>) {
        self.text(name);
        self.maybe_text(value);
    }

    pub fn maybe_bool(&mut self, value: Option<bool>) {
        match value {
            Some(value) => self.bool(value),
            None => self.nil(),
        }
    }
}

/// Reads values behind each other. `None` from any of its methods: there is something else.
#[derive(Clone)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    pub at: usize,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader { bytes, at: 0 }
    }

    pub fn is_done(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// What was read since a place.
    pub fn since(&self, place: usize) -> &'a [u8] {
        &self.bytes[place..self.at]
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn take(&mut self, size: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(size)?;
        let bytes = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(bytes)
    }

    fn unsigned(&mut self, size: usize) -> Option<u64> {
        Some(
            self.take(size)?
                .iter()
                .fold(0, |value, byte| value << 8 | u64::from(*byte)),
        )
    }

    /// Whether the next value is nil; if so, it is read.
    pub fn nil(&mut self) -> Option<bool> {
        let is_nil = *self.bytes.get(self.at)? == 0xc0;
        self.at += usize::from(is_nil);
        Some(is_nil)
    }

    pub fn int(&mut self) -> Option<i64> {
        match self.byte()? {
            byte @ 0..=0x7f => Some(i64::from(byte)),
            byte @ 0xe0..=0xff => Some(i64::from(byte as i8)),
            0xcc => Some(self.unsigned(1)? as i64),
            0xcd => Some(self.unsigned(2)? as i64),
            0xce => Some(self.unsigned(4)? as i64),
            0xcf => i64::try_from(self.unsigned(8)?).ok(),
            0xd0 => Some(i64::from(self.unsigned(1)? as u8 as i8)),
            0xd1 => Some(i64::from(self.unsigned(2)? as u16 as i16)),
            0xd2 => Some(i64::from(self.unsigned(4)? as u32 as i32)),
            0xd3 => Some(self.unsigned(8)? as i64),
            _ => None,
        }
    }

    pub fn text(&mut self) -> Option<&'a str> {
        let size = match self.byte()? {
            byte @ 0xa0..=0xbf => usize::from(byte & 0x1f),
            0xd9 => self.unsigned(1)? as usize,
            0xda => self.unsigned(2)? as usize,
            0xdb => self.unsigned(4)? as usize,
            _ => return None,
        };
        std::str::from_utf8(self.take(size)?).ok()
    }

    pub fn array(&mut self) -> Option<usize> {
        match self.byte()? {
            byte @ 0x90..=0x9f => Some(usize::from(byte & 0x0f)),
            0xdc => Some(self.unsigned(2)? as usize),
            0xdd => Some(self.unsigned(4)? as usize),
            _ => None,
        }
    }

    /// An array of just so many elements.
    pub fn array_of(&mut self, size: usize) -> Option<()> {
        (self.array()? == size).then_some(())
    }

    pub fn maybe_int(&mut self) -> Option<Option<i64>> {
        if self.nil()? {
            return Some(None);
        }
        self.int().map(Some)
    }

    pub fn maybe_text(&mut self) -> Option<Option<&'a str>> {
        if self.nil()? {
            return Some(None);
        }
        self.text().map(Some)
    }

    pub fn maybe_bool(&mut self) -> Option<Option<bool>> {
        match self.byte()? {
            0xc0 => Some(None),
            0xc2 => Some(Some(false)),
            0xc3 => Some(Some(true)),
            _ => None,
        }
    }
}
