//! Sums that nobody has touched since they were derived or published as a whole, in as few bytes as they need.
//!
//! Most days of a shard lie months back and are never changed again. Whatever adds to one unpacks it first.

use std::borrow::Cow;
use std::sync::Arc;

use crate::buckets::Sum;

/// Sums of one (time, rep), in the order of their measures.
pub enum Kept {
    Open(Vec<Sum>),
    Packed(Arc<[u8]>),
}

impl Default for Kept {
    fn default() -> Self {
        Kept::Open(Vec::new())
    }
}

impl Kept {
    /// The sums, to be changed.
    pub fn open(&mut self) -> &mut Vec<Sum> {
        if let Kept::Packed(bytes) = self {
            *self = Kept::Open(unpacked(bytes).collect());
        }
        match self {
            Kept::Open(sums) => sums,
            Kept::Packed(_) => unreachable!("it was unpacked"),
        }
    }

    pub fn sums(&self) -> Cow<'_, [Sum]> {
        match self {
            Kept::Open(sums) => Cow::Borrowed(sums),
            Kept::Packed(bytes) => Cow::Owned(unpacked(bytes).collect()),
        }
    }

    /// The sums in bytes, as which they are kept from now on.
    pub fn pack(&mut self, scratch: &mut Vec<u8>) -> Arc<[u8]> {
        let sums = match self {
            Kept::Packed(bytes) => return Arc::clone(bytes),
            Kept::Open(sums) => sums,
        };
        scratch.clear();
        for sum in sums {
            let (measure, amount) = (sum.measure, sum.amount);
            write(scratch, u128::from(measure));
            write(scratch, (amount << 1 ^ amount >> 127) as u128); // small ones are few bytes, whatever their sign
        }
        let bytes: Arc<[u8]> = scratch.as_slice().into();
        *self = Kept::Packed(Arc::clone(&bytes));
        bytes
    }
}

pub fn unpacked(bytes: &[u8]) -> impl Iterator<Item = Sum> + '_ {
    let mut bytes = bytes.iter();
    std::iter::from_fn(move || {
        let measure = read(&mut bytes)? as u32;
        let amount = read(&mut bytes)?;
        let amount = (amount >> 1) as i128 ^ -((amount & 1) as i128);
        Some(Sum { measure, amount })
    })
}

/// Seven bits a byte, the lowest first; all bytes but the last have the eighth set.
fn write(bytes: &mut Vec<u8>, mut number: u128) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn read(bytes: &mut std::slice::Iter<'_, u8>) -> Option<u128> {
    let (mut number, mut shift) = (0, 0);
    for byte in bytes {
        number |= u128::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
        shift += 7;
    }
    None
}
