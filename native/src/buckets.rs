//! What cells are made of: sums by day and by minute, and maxima. What `streams.buckets` does, in less room.

use std::collections::BTreeMap;

use hashbrown::HashSet;

/// A horizon before all time.
const BEGIN: i64 = i64::MIN;

/// A measure's number and its sum. Packed: there are millions.
#[derive(Clone, Copy)]
#[repr(C, packed(4))]
pub struct Sum {
    pub measure: u32,
    pub amount: i128,
}

/// Sums of each (day or minute, rep); zero sums leave no measure, and none leave no entry.
pub struct SumsByTime {
    /// Nothing at or before it is taken any more.
    pub horizon: i64,
    sums: BTreeMap<(i64, u32), Vec<Sum>>,
    pub changed: HashSet<(i64, u32)>,
}

impl Default for SumsByTime {
    fn default() -> Self {
        SumsByTime {
            horizon: BEGIN,
            sums: BTreeMap::new(),
            changed: HashSet::new(),
        }
    }
}

impl SumsByTime {
    /// Add to some sums of one (time, rep), unless the time is past.
    pub fn add(&mut self, time: i64, rep: u32, changes: impl Iterator<Item = (u32, i128)>) {
        if time <= self.horizon {
            return;
        }
        let sums = self.sums.entry((time, rep)).or_default();
        for (measure, amount) in changes {
            match sums.binary_search_by_key(&measure, |sum| sum.measure) {
                Ok(place) if sums[place].amount == -amount => {
                    sums.remove(place);
                }
                Ok(place) => sums[place].amount += amount,
                Err(place) if amount != 0 => sums.insert(place, Sum { measure, amount }),
                Err(_) => (),
            }
        }
        if sums.is_empty() {
            self.sums.remove(&(time, rep));
        }
        self.changed.insert((time, rep));
    }

    /// Forget what is at or before a time.
    pub fn advance(&mut self, to: i64) {
        if to <= self.horizon {
            return;
        }
        self.horizon = to;
        let left = self.sums.split_off(&(to.saturating_add(1), 0));
        let past = std::mem::replace(&mut self.sums, left);
        self.changed.extend(past.into_keys());
    }

    pub fn size(&self) -> usize {
        self.sums.len()
    }

    pub fn of(&self, place: (i64, u32)) -> Option<&[Sum]> {
        self.sums.get(&place).map(Vec::as_slice)
    }

    pub fn iter(&self) -> impl Iterator<Item = ((i64, u32), &[Sum])> {
        self.sums.iter().map(|(place, sums)| (*place, sums.as_slice()))
    }
}

/// A multiset of instants: what the entities of one rep say about one thing.
#[derive(Default)]
pub struct Marks(BTreeMap<i64, u32>);

impl Marks {
    pub fn add(&mut self, at: i64) {
        *self.0.entry(at).or_default() += 1;
    }

    /// One entity less says `at`; `None`: no entity did.
    pub fn remove(&mut self, at: i64) -> Option<()> {
        let count = self.0.get_mut(&at)?;
        *count -= 1;
        if *count == 0 {
            self.0.remove(&at);
        }
        Some(())
    }

    pub fn latest(&self) -> Option<i64> {
        self.0.last_key_value().map(|(at, _)| *at)
    }
}
