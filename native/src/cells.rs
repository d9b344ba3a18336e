//! The cells of one shard: what `streams.shard.ShardCells` is, kept as numbers and given out as it is published.

use std::collections::BTreeMap;

use hashbrown::{HashMap, HashSet};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::buckets::{Marks, PackedSums, Sum, SumsByTime};
use crate::calendar::MINUTE_US;
use crate::derive::Derivation;
use crate::fold::Folded;
use crate::names::Names;
use crate::pack::Writer;
use crate::packed::unpacked;
use crate::told::{ItemKey, ItemKind, Told};

/// An item as it is published, and the last minute in which it may still be young enough.
struct Kept {
    value: Box<[u8]>,
    until: Option<i64>,
}

#[pyclass(module = "funnelwatch._native")]
pub struct Cells {
    fine_minutes: i64,
    close_minutes: i64,
    recording_minutes: i64,
    lost_minutes: i64,
    newest: Option<i64>,
    reps: Names,
    measures: Names,
    days: SumsByTime,
    minutes: SumsByTime,
    closes: SumsByTime,
    marks: HashMap<u32, Marks>,
    advanced: HashSet<u32>,
    items: HashMap<ItemKey, Kept>,
    /// What may expire with a minute; items at or before the horizon are not taken any more.
    items_until: BTreeMap<i64, HashSet<ItemKey>>,
    items_horizon: i64,
    changed_items: HashSet<ItemKey>,
    out: Writer,
}

#[pymethods]
impl Cells {
    /// How long each is kept, in minutes: all measures by the minute, closes by the minute, recordings, lost deals.
    #[new]
    #[pyo3(signature = (*, fine_minutes, close_minutes, recording_minutes, lost_minutes))]
    fn new(fine_minutes: i64, close_minutes: i64, recording_minutes: i64, lost_minutes: i64) -> Self {
        Cells {
            fine_minutes,
            close_minutes,
            recording_minutes,
            lost_minutes,
            newest: None,
            reps: Names::default(),
            measures: Names::default(),
            days: SumsByTime::default(),
            minutes: SumsByTime::default(),
            closes: SumsByTime::default(),
            marks: HashMap::new(),
            advanced: HashSet::new(),
            items: HashMap::new(),
            items_until: BTreeMap::new(),
            items_horizon: i64::MIN,
            changed_items: HashSet::new(),
            out: Writer::default(),
        }
    }

    #[getter]
    fn newest(&self) -> Option<i64> {
        self.newest
    }

    /// How many cells there are, but for advances.
    #[getter]
    fn size(&self) -> usize {
        self.days.size() + self.minutes.size() + self.closes.size() + self.items.len()
    }

    #[getter]
    fn is_changed(&self) -> bool {
        let sums = [&self.days, &self.minutes, &self.closes];
        sums.iter().any(|sums| !sums.changed.is_empty()) || !self.advanced.is_empty() || !self.changed_items.is_empty()
    }

    fn see(&mut self, at: Option<i64>) {
        self.newest = self.newest.max(at);
    }

    /// Let expire what is too old; an earlier instant than before changes nothing.
    fn advance_to(&mut self, now_us: i64) {
        let minute = now_us.div_euclid(MINUTE_US);
        self.minutes.advance(minute - self.fine_minutes);
        self.closes.advance(minute - self.close_minutes);
        if minute - 1 <= self.items_horizon {
            return;
        }
        self.items_horizon = minute - 1;
        let left = self.items_until.split_off(&minute);
        for (until, keys) in std::mem::replace(&mut self.items_until, left) {
            for key in keys {
                if self.items.get(&key).is_some_and(|item| item.until == Some(until)) {
                    self.items.remove(&key);
                    self.changed_items.insert(key);
                }
            }
        }
    }

    /// Add what a chunk came to.
    fn add_folded(&mut self, folded: &Folded) -> PyResult<()> {
        self.add_told(&folded.told)?;
        self.see(folded.newest);
        Ok(())
    }

    /// Add what rows came to, to new cells: what changed is not noted, all is new. Other threads run meanwhile; they
    /// know nothing of either.
    fn add_derived(&mut self, py: Python<'_>, derivation: &mut Derivation) -> PyResult<()> {
        self.note_changes(false);
        let added = py.detach(|| self.add_told(&derivation.take_told()));
        self.note_changes(true);
        self.see(derivation.newest);
        self.forget_changed();
        added
    }

    /// Keep sums by day in as few bytes as they need until something is added to them. Other threads run meanwhile.
    fn pack(&mut self, py: Python<'_>) {
        py.detach(|| self.days.pack());
    }

    /// Add to measures of a rep: (measure as it is published, amount, whether it is a close).
    fn add_sums(&mut self, rep: &str, minute: i64, day: i64, changes: Vec<(Vec<u8>, i128, bool)>) {
        let rep = self.reps.number(rep.as_bytes());
        let numbered = changes
            .iter()
            .map(|(measure, amount, is_close)| (self.measures.number(measure), *amount, *is_close));
        let changes: Vec<_> = numbered.collect();
        self.add_at(rep, minute, day, &changes);
    }

    /// One entity's latest advance credited to a rep moves.
    #[pyo3(name = "move_mark")]
    fn move_named_mark(&mut self, rep: &str, was: Option<i64>, at: Option<i64>) -> PyResult<()> {
        let rep = self.reps.number(rep.as_bytes());
        self.move_mark(rep, was, at)
    }

    #[pyo3(name = "set_item")]
    fn set_named_item(
        &mut self,
        rep: &str,
        kind: &str,
        entity: &str,
        value: &[u8],
        ages_from: Option<i64>,
    ) -> PyResult<()> {
        let key = self.key(rep, kind, entity)?;
        self.set_item(key, value.into(), ages_from);
        Ok(())
    }

    #[pyo3(name = "remove_item")]
    fn remove_named_item(&mut self, rep: &str, kind: &str, entity: &str) -> PyResult<()> {
        let key = self.key(rep, kind, entity)?;
        self.remove_item(key);
        Ok(())
    }

    /// The cells that changed since the last call as they are published; nothing: the cell is gone.
    fn take_changed<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let found = PyDict::new(py);
        let out = &mut self.out;
        for (sums, tag) in [(&mut self.days, "d"), (&mut self.minutes, "m"), (&mut self.closes, "c")] {
            for place in std::mem::take(&mut sums.changed) {
                let cell = time_cell(py, out, tag, self.reps.name(place.1), place.0);
                let value = match sums.of(place) {
                    Some(sums) => said_sums(py, out, &sums, &self.measures),
                    None => PyBytes::new(py, b""),
                };
                found.set_item(cell, value)?;
            }
        }
        for rep in self.advanced.drain() {
            let cell = advance_cell(py, out, self.reps.name(rep));
            let value = match self.marks.get(&rep).and_then(Marks::latest) {
                Some(at) => said_int(py, out, at),
                None => PyBytes::new(py, b""),
            };
            found.set_item(cell, value)?;
        }
        for key in self.changed_items.drain() {
            let cell = item_cell(py, out, self.reps.name(key.rep), &key);
            let value = self.items.get(&key).map_or(&b""[..], |item| &item.value);
            found.set_item(cell, PyBytes::new(py, value))?;
        }
        Ok(found)
    }

    /// As if what changed had been taken.
    fn forget_changed(&mut self) {
        self.days.changed.clear();
        self.minutes.changed.clear();
        self.closes.changed.clear();
        self.advanced.clear();
        self.changed_items.clear();
    }

    /// Every cell as it is published.
    fn all_cells<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let found = self.all_but_days(py)?;
        let out = &mut self.out;
        for (place, sums) in self.days.iter() {
            let cell = time_cell(py, out, "d", self.reps.name(place.1), place.0);
            found.set_item(cell, said_sums(py, out, &sums, &self.measures))?;
        }
        Ok(found)
    }

    /// Every cell as it is published, but for sums by day.
    fn all_but_days<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let found = PyDict::new(py);
        let out = &mut self.out;
        for (sums, tag) in [(&self.minutes, "m"), (&self.closes, "c")] {
            for (place, sums) in sums.iter() {
                let cell = time_cell(py, out, tag, self.reps.name(place.1), place.0);
                found.set_item(cell, said_sums(py, out, &sums, &self.measures))?;
            }
        }
        for (rep, marks) in &self.marks {
            if let Some(at) = marks.latest() {
                let cell = advance_cell(py, out, self.reps.name(*rep));
                found.set_item(cell, said_int(py, out, at))?;
            }
        }
        for (key, item) in &self.items {
            let cell = item_cell(py, out, self.reps.name(key.rep), key);
            found.set_item(cell, PyBytes::new(py, &item.value))?;
        }
        Ok(found)
    }

    /// Sums by day as they are now, whatever is added to them later. They are kept in few bytes until then.
    fn all_days(&mut self) -> AllDays {
        AllDays { days: self.days.pack() }
    }

    /// Some of those, as they are published: from one place to another.
    fn published_days<'py>(
        &mut self,
        py: Python<'py>,
        all: &AllDays,
        begin: usize,
        end: usize,
    ) -> PyResult<Bound<'py, PyDict>> {
        let found = PyDict::new(py);
        let out = &mut self.out;
        for (place, bytes) in &all.days[begin..end.min(all.days.len())] {
            let cell = time_cell(py, out, "d", self.reps.name(place.1), place.0);
            let sums: Vec<Sum> = unpacked(bytes).collect();
            found.set_item(cell, said_sums(py, out, &sums, &self.measures))?;
        }
        Ok(found)
    }
}

/// The sums by day of some cells as they were at one moment.
#[pyclass(frozen, module = "funnelwatch._native")]
pub struct AllDays {
    days: Vec<PackedSums>,
}

#[pymethods]
impl AllDays {
    fn __len__(&self) -> usize {
        self.days.len()
    }
}

impl Cells {
    /// Add what entities contribute, summed up.
    pub fn add_told(&mut self, told: &Told) -> PyResult<()> {
        let reps: Vec<u32> = told.reps.iter().map(|name| self.reps.number(name)).collect();
        let measures: Vec<u32> = told.measures.iter().map(|name| self.measures.number(name)).collect();
        let mut changes = Vec::new();
        for same in told
            .deltas
            .chunk_by(|one, next| (one.rep, one.minute) == (next.rep, next.minute))
        {
            changes.clear();
            changes.extend(same.iter().map(|delta| {
                (
                    measures[delta.measure as usize],
                    i128::from(delta.amount),
                    delta.is_close,
                )
            }));
            self.add_at(reps[same[0].rep as usize], same[0].minute, same[0].day, &changes);
        }
        for mark in &told.marks {
            self.move_mark(reps[mark.rep as usize], mark.was, mark.at)?;
        }
        let ours = |key: &ItemKey| ItemKey {
            rep: reps[key.rep as usize],
            ..key.clone()
        };
        for key in &told.gone {
            self.remove_item(ours(key));
        }
        for item in &told.items {
            self.set_item(ours(&item.key), item.value.clone(), item.ages_from);
        }
        Ok(())
    }

    fn note_changes(&mut self, notes: bool) {
        for sums in [&mut self.days, &mut self.minutes, &mut self.closes] {
            sums.notes_changes = notes;
        }
    }

    fn add_at(&mut self, rep: u32, minute: i64, day: i64, changes: &[(u32, i128, bool)]) {
        let all = || changes.iter().map(|(measure, amount, _)| (*measure, *amount));
        self.days.add(day, rep, all());
        self.minutes.add(minute, rep, all());
        if changes.iter().any(|(_, _, is_close)| *is_close) {
            let closes = changes.iter().filter(|(_, _, is_close)| *is_close);
            self.closes
                .add(minute, rep, closes.map(|(measure, amount, _)| (*measure, *amount)));
        }
    }

    fn move_mark(&mut self, rep: u32, was: Option<i64>, at: Option<i64>) -> PyResult<()> {
        let marks = self.marks.entry(rep).or_default();
        let before = marks.latest();
        if let Some(at) = at {
            marks.add(at);
        }
        if let Some(was) = was {
            let unknown = || PyValueError::new_err(format!("no entity of the rep advanced last at {was}"));
            marks.remove(was).ok_or_else(unknown)?;
        }
        let now = marks.latest();
        if now != before {
            self.advanced.insert(rep);
        }
        if now.is_none() {
            self.marks.remove(&rep);
        }
        Ok(())
    }

    fn set_item(&mut self, key: ItemKey, value: Box<[u8]>, ages_from: Option<i64>) {
        let until = ages_from.map(|at| {
            at.div_euclid(MINUTE_US)
                + match key.kind {
                    ItemKind::LostDeal => self.lost_minutes,
                    _ => self.recording_minutes,
                }
        });
        if let Some(until) = until {
            if until <= self.items_horizon {
                return self.remove_item(key);
            }
            self.items_until.entry(until).or_default().insert(key.clone());
        }
        self.items.insert(key.clone(), Kept { value, until });
        self.changed_items.insert(key);
    }

    fn remove_item(&mut self, key: ItemKey) {
        if self.items.remove(&key).is_some() {
            self.changed_items.insert(key);
        }
    }

    fn key(&mut self, rep: &str, kind: &str, id: &str) -> PyResult<ItemKey> {
        let unknown = || PyValueError::new_err(format!("there are no items of type {kind}"));
        Ok(ItemKey {
            rep: self.reps.number(rep.as_bytes()),
            kind: ItemKind::named(kind).ok_or_else(unknown)?,
            id: id.as_bytes().into(),
        })
    }
}

fn time_cell<'py>(py: Python<'py>, out: &mut Writer, tag: &str, rep: &[u8], time: i64) -> Bound<'py, PyBytes> {
    out.bytes.clear();
    out.array(3);
    out.text(tag);
    out.utf8(rep);
    out.int(time);
    PyBytes::new(py, &out.bytes)
}

fn advance_cell<'py>(py: Python<'py>, out: &mut Writer, rep: &[u8]) -> Bound<'py, PyBytes> {
    out.bytes.clear();
    out.array(2);
    out.text("a");
    out.utf8(rep);
    PyBytes::new(py, &out.bytes)
}

fn item_cell<'py>(py: Python<'py>, out: &mut Writer, rep: &[u8], key: &ItemKey) -> Bound<'py, PyBytes> {
    out.bytes.clear();
    out.array(4);
    out.text("i");
    out.utf8(rep);
    out.text(key.kind.name());
    out.utf8(&key.id);
    PyBytes::new(py, &out.bytes)
}

fn said_int<'py>(py: Python<'py>, out: &mut Writer, value: i64) -> Bound<'py, PyBytes> {
    out.bytes.clear();
    out.int(value);
    PyBytes::new(py, &out.bytes)
}

/// As `streams.cells.encode_value`: what is beyond 64 bits goes as its decimal text.
fn said_sums<'py>(py: Python<'py>, out: &mut Writer, sums: &[Sum], measures: &Names) -> Bound<'py, PyBytes> {
    out.bytes.clear();
    out.map(sums.len());
    for sum in sums {
        out.bytes.extend_from_slice(measures.name(sum.measure));
        let amount = sum.amount;
        match i64::try_from(amount) {
            Ok(amount) => out.int(amount),
            Err(_) => out.text(&amount.to_string()),
        }
    }
    PyBytes::new(py, &out.bytes)
}
