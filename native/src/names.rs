//! Names by their bytes, numbered in the order in which they came, one behind the other in one piece of memory.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

#[derive(Default)]
pub struct Names {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    numbers: HashTable<u32>,
    hashing: DefaultHashBuilder,
}

impl Names {
    pub fn number(&mut self, name: &[u8]) -> u32 {
        let hash = self.hashing.hash_one(name);
        let Names {
            bytes, ends, numbers, ..
        } = self;
        if let Some(number) = numbers.find(hash, |number| named(bytes, ends, *number) == name) {
            return *number;
        }
        let number = u32::try_from(ends.len()).expect("names are numbered by 32 bits");
        bytes.extend_from_slice(name);
        ends.push(bytes.len());
        let hashing = &self.hashing;
        numbers.insert_unique(hash, number, |one| hashing.hash_one(named(bytes, ends, *one)));
        number
    }

    pub fn name(&self, number: u32) -> &[u8] {
        named(&self.bytes, &self.ends, number)
    }

    /// All of them, in the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.ends.len()).map(|number| named(&self.bytes, &self.ends, number as u32))
    }
}

fn named<'n>(bytes: &'n [u8], ends: &[usize], number: u32) -> &'n [u8] {
    let number = number as usize;
    let begin = if number == 0 { 0 } else { ends[number - 1] };
    &bytes[begin..ends[number]]
}
