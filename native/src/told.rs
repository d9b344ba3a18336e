//! What a chunk's entities contribute to their reps, together: what is to be added to cells.

use crate::calendar::Calendar;
use crate::names::Names;
use crate::pack::Writer;
use crate::sums::{Dimension, Figures, Item, Left, Sums};

/// An amount to be added to one measure of a rep.
pub struct Delta {
    pub rep: u32,
    pub minute: i64,
    pub day: i64,
    pub measure: u32,
    pub is_close: bool,
    pub amount: i64,
}

/// A rep's latest advance by one entity: before, and now.
pub struct Mark {
    pub rep: u32,
    pub was: Option<i64>,
    pub at: Option<i64>,
}

/// Which cell of an item: a rep's, of this type, about this entity.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ItemKey {
    pub rep: u32,
    pub kind: ItemKind,
    pub id: Box<[u8]>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum ItemKind {
    OpenDeal,
    LostDeal,
    OpenLead,
    Recording,
    Rep,
}

impl ItemKind {
    const ALL: [ItemKind; 5] = [
        ItemKind::OpenDeal,
        ItemKind::LostDeal,
        ItemKind::OpenLead,
        ItemKind::Recording,
        ItemKind::Rep,
    ];

    /// The type as `ItemCell` has it.
    pub fn name(self) -> &'static str {
        match self {
            ItemKind::OpenDeal => "open_deal",
            ItemKind::LostDeal => "lost_deal",
            ItemKind::OpenLead => "open_lead",
            ItemKind::Recording => "recording",
            ItemKind::Rep => "rep",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// An item as it is published, and the instant from which it ages, if it does.
pub struct ItemNow {
    pub key: ItemKey,
    pub value: Box<[u8]>,
    pub ages_from: Option<i64>,
}

/// Names are numbered anew in each of these.
#[derive(Default)]
pub struct Told {
    pub reps: Names,
    pub measures: Names,
    pub deltas: Vec<Delta>,
    pub marks: Vec<Mark>,
    pub gone: Vec<ItemKey>,
    pub items: Vec<ItemNow>,
    scratch: Writer,
}

impl Told {
    /// One entity contributed `before` and contributes `after`. On an error nothing is noted.
    pub fn note(
        &mut self,
        key: &[u8],
        before: &Figures<'_>,
        after: &Figures<'_>,
        calendar: &Calendar,
    ) -> Result<(), Left> {
        self.note_sums(&before.sums, &after.sums, calendar)?;
        self.note_marks(&before.advances, &after.advances);
        if before.item != after.item {
            self.note_item(key, before, after);
        }
        Ok(())
    }

    /// What differs between the sums before and after. They mostly begin alike.
    fn note_sums(&mut self, before: &Sums<'_>, after: &Sums<'_>, calendar: &Calendar) -> Result<(), Left> {
        let begin = self.deltas.len();
        let alike = before
            .iter()
            .zip(after)
            .take_while(|(left, right)| left == right)
            .count();
        let (before, after) = (&before[alike..], &after[alike..]);
        self.deltas.reserve(before.len() + after.len());
        let mut last = None;
        for (sums, sign) in [(before, -1), (after, 1)] {
            for sum in sums {
                let (minute, day) = match last {
                    Some((minute, day)) if minute == sum.minute => (minute, day),
                    _ => match calendar.day_of_minute(sum.minute) {
                        Ok(day) => (sum.minute, day),
                        Err(uncovered) => {
                            self.deltas.truncate(begin);
                            return Err(uncovered.into());
                        }
                    },
                };
                last = Some((minute, day));
                let Some(amount) = sum.amount.checked_mul(sign) else {
                    self.deltas.truncate(begin);
                    return Err(Left::Unusual);
                };
                let delta = Delta {
                    rep: self.reps.number(sum.rep.as_bytes()),
                    minute,
                    day,
                    measure: self.measure(sum.measure.dimensions()),
                    is_close: sum.measure.is_close,
                    amount,
                };
                self.deltas.push(delta);
            }
        }
        Ok(())
    }

    fn measure(&mut self, dimensions: &[Dimension<'_>]) -> u32 {
        let scratch = &mut self.scratch;
        scratch.bytes.clear();
        scratch.array(dimensions.len());
        for dimension in dimensions {
            match dimension {
                Dimension::Text(text) => scratch.text(text),
                Dimension::Int(number) => scratch.int(*number),
            }
        }
        self.measures.number(&scratch.bytes)
    }

    fn note_marks(&mut self, before: &[(&str, i64)], after: &[(&str, i64)]) {
        let of = |all: &[(&str, i64)], rep: &str| all.iter().find(|(one, _)| *one == rep).map(|(_, at)| *at);
        for (rep, at) in after {
            let was = of(before, rep);
            if was != Some(*at) {
                let rep = self.reps.number(rep.as_bytes());
                self.marks.push(Mark {
                    rep,
                    was,
                    at: Some(*at),
                });
            }
        }
        for (rep, at) in before {
            if of(after, rep).is_none() {
                let rep = self.reps.number(rep.as_bytes());
                self.marks.push(Mark {
                    rep,
                    was: Some(*at),
                    at: None,
                });
            }
        }
    }

    fn note_item(&mut self, key: &[u8], before: &Figures<'_>, after: &Figures<'_>) {
        if let Some((rep, item)) = &before.item {
            let stays = |(new_rep, new): &(&str, Item<'_>)| new_rep == rep && new.is_like(item);
            if !after.item.as_ref().is_some_and(stays) {
                let gone = self.item_key(rep, item, key);
                self.gone.push(gone);
            }
        }
        if let Some((rep, item)) = &after.item {
            let key = self.item_key(rep, item, key);
            self.scratch.bytes.clear();
            item.write(&mut self.scratch);
            self.items.push(ItemNow {
                key,
                value: self.scratch.bytes.as_slice().into(),
                ages_from: item.ages_from(),
            });
        }
    }

    fn item_key(&mut self, rep: &str, item: &Item<'_>, id: &[u8]) -> ItemKey {
        ItemKey {
            rep: self.reps.number(rep.as_bytes()),
            kind: item.kind(),
            id: id.into(),
        }
    }

    /// How much there is, about: what memory goes by.
    pub fn size(&self) -> usize {
        self.deltas.len() + self.marks.len() + self.items.len()
    }

    /// Amounts of one measure, rep and minute become one, and what comes to nothing goes.
    pub fn sum_up(&mut self) {
        let place = |delta: &Delta| (delta.rep, delta.minute, delta.measure);
        self.deltas.sort_unstable_by_key(place);
        self.deltas.dedup_by(|next, kept| {
            let total = kept.amount.checked_add(next.amount);
            match total {
                Some(total) if place(next) == place(kept) => {
                    kept.amount = total;
                    true
                }
                _ => false,
            }
        });
        self.deltas.retain(|delta| delta.amount != 0);
    }
}
