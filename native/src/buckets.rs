//! What cells are made of: sums by day and by minute, and maxima. What `streams.buckets` does, in less room.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use hashbrown::HashSet;

use crate::packed::Kept;

/// A horizon before all time.
const BEGIN: i64 = i64::MIN;

/// A measure's number and its sum. Packed: there are millions.
#[derive(Clone, Copy)]
#[repr(C, packed(4))]
pub struct Sum {
    pub measure: u32,
    pub amount: i128,
}

/// A time and a rep, and their sums.
pub type PackedSums = ((i64, u32), Arc<[u8]>);

/// Sums of each (day or minute, rep); zero sums leave no measure, and none leave no entry.
pub struct SumsByTime {
    /// Nothing at or before it is taken any more.
    pub horizon: i64,
    sums: BTreeMap<(i64, u32), Kept>,
    pub changed: HashSet<(i64, u32)>,
    pub notes_changes: bool,
}

impl Default for SumsByTime {
    fn default() -> Self {
        SumsByTime {
            horizon: BEGIN,
            sums: BTreeMap::new(),
            changed: HashSet::new(),
            notes_changes: true,
        }
    }
}

impl SumsByTime {
    /// Add to some sums of one (time, rep), unless the time is past.
    pub fn add(&mut self, time: i64, rep: u32, changes: impl Iterator<Item = (u32, i128)>) {
        if time <= self.horizon {
            return;
        }
        let sums = self.sums.entry((time, rep)).or_default().open();
        if sums.is_empty() {
            sums.reserve_exact(changes.size_hint().0);
        }
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
        if self.notes_changes {
            self.changed.insert((time, rep));
        }
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

    pub fn of(&self, place: (i64, u32)) -> Option<Cow<'_, [Sum]>> {
        self.sums.get(&place).map(Kept::sums)
    }

    pub fn iter(&self) -> impl Iterator<Item = ((i64, u32), Cow<'_, [Sum]>)> {
        self.sums.iter().map(|(place, kept)| (*place, kept.sums()))
    }

    /// Keep all in as few bytes as they need; these, as they are now.
    pub fn pack(&mut self) -> Vec<PackedSums> {
        let mut scratch = Vec::new();
        let kept = self.sums.iter_mut();
        kept.map(|(place, kept)| (*place, kept.pack(&mut scratch))).collect()
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
