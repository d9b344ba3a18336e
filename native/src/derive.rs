//! What rows contribute, many at once: what a shard's cells are made of when a partition is opened.
//!
//! The figures of a row are those of the fold. A row of which anything is unusual is left to Python as a whole.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString};

use crate::calendar::MINUTE_US;
use crate::call::{CallStep, EmailStep};
use crate::deal::{DealStep, Rules};
use crate::event::Kind;
use crate::fold::{cell_of, inner, said, whole, Classes, Entity, Fold};
use crate::lead::LeadStep;
use crate::row::State;
use crate::sums::{Figures, Item, Left, Vocabulary};

/// Mixes numbers, of which all keys here consist: fast, and nobody outside chooses them.
#[derive(Default)]
pub struct Mixer(u64);

impl Hasher for Mixer {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(u64::from(number));
    }

    fn write_i64(&mut self, number: i64) {
        self.write_u64(number as u64);
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0.rotate_left(5) ^ number).wrapping_mul(0x517c_c1b7_2722_0a95);
        self.0 ^= self.0 >> 32;
    }
}

/// Amounts by the number of their measure, as they come, of each (rep, time).
type Amounts = Mixed<(u32, i64), Vec<(u32, i64)>>;
type Mixed<K, V> = HashMap<K, V, BuildHasherDefault<Mixer>>;

/// The minutes up to which what is derived is past: of all measures, closes, lost deals and recordings.
struct Past {
    fine: i64,
    closes: i64,
    lost: i64,
    recordings: i64,
}

impl Past {
    fn has(&self, item: &Item<'_>) -> bool {
        match item {
            Item::LostDeal { closed_at, .. } => closed_at.div_euclid(MINUTE_US) <= self.lost,
            Item::Recording { at, .. } => at.div_euclid(MINUTE_US) <= self.recordings,
            Item::OpenDeal { .. } | Item::OpenLead { .. } => false,
        }
    }
}

/// What one row contributes.
struct Derived<'a> {
    figures: Figures<'a>,
    /// The local day of each sum.
    days: Vec<i64>,
    newest: Option<i64>,
}

/// Why a row is left, and from when to when its steps go if the calendar's tables do not reach over them.
type NotDerived = Option<(i64, i64)>;

fn derive<'a, S: Entity<'a>>(row: &'a [u8], rules: &'a Rules) -> Result<Derived<'a>, NotDerived> {
    let state: State<'a, S> = State::read(row).ok_or(None)?;
    let figures = S::figures(&state.history, &state.links, rules).map_err(|left| reach(&state, left))?;
    let newest = state.history.last().map(|step| step.head().at);
    let mut days = Vec::with_capacity(figures.sums.len());
    let mut last = None;
    for sum in &figures.sums {
        let day = match last {
            Some((minute, day)) if minute == sum.minute => day,
            _ => rules
                .calendar
                .day_of_minute(sum.minute)
                .map_err(|uncovered| reach(&state, uncovered.into()))?,
        };
        last = Some((sum.minute, day));
        days.push(day);
    }
    Ok(Derived { figures, days, newest })
}

fn reach<'a, S: Entity<'a>>(state: &State<'a, S>, left: Left) -> NotDerived {
    let Left::Uncovered(at) = left else { return None };
    let steps = state.history.iter().map(|step| step.head().at);
    let told = state.links.iter().filter_map(|link| link.at);
    Some(
        steps
            .chain(told)
            .fold((at, at), |(first, last), one| (first.min(one), last.max(one))),
    )
}

/// Everything that rows come to, while they are read. Sums of what was summed up already start afresh.
#[pyclass(module = "funnelwatch._native")]
pub struct Derivation {
    kind: Kind,
    rules: Arc<Rules>,
    classes: Classes,
    past: Past,
    words: Vocabulary,
    days: Amounts,
    minutes: Amounts,
    closes: Amounts,
    marks: Mixed<u32, Vec<i64>>,
    /// How many amounts and marks there are.
    waiting: usize,
    items: Vec<(Py<PyAny>, Py<PyAny>)>,
    #[pyo3(get)]
    newest: Option<i64>,
}

/// What became of some rows: the places of those that are left to Python, and of those that only lack a calendar that
/// reaches over their steps, with the first and the last of these.
#[pyclass(frozen, get_all, module = "funnelwatch._native")]
pub struct TakenRows {
    left: Vec<usize>,
    uncovered: Vec<(usize, i64, i64)>,
}

#[pymethods]
impl Derivation {
    /// Rows of a kind, by the rules and the calendar's tables of its fold. What is at or before the minutes is past.
    #[new]
    #[pyo3(signature = (fold, *, fine_from, closes_from, lost_from, recordings_from))]
    fn new(
        py: Python<'_>,
        fold: &Fold,
        fine_from: i64,
        closes_from: i64,
        lost_from: i64,
        recordings_from: i64,
    ) -> Self {
        Derivation {
            kind: fold.kind,
            rules: Arc::new(fold.rules.clone()),
            classes: fold.classes.clone_ref(py),
            past: Past {
                fine: fine_from,
                closes: closes_from,
                lost: lost_from,
                recordings: recordings_from,
            },
            words: Vocabulary::default(),
            days: Mixed::default(),
            minutes: Mixed::default(),
            closes: Mixed::default(),
            marks: Mixed::default(),
            waiting: 0,
            items: Vec::new(),
            newest: None,
        }
    }

    /// Take over the calendar's tables that the fold has by now.
    fn cover(&mut self, fold: &Fold) {
        self.rules = Arc::new(fold.rules.clone());
    }

    /// How many amounts, marks and items there are: what memory goes by.
    fn __len__(&self) -> usize {
        self.waiting + self.items.len()
    }

    /// Take rows as (key, row). Other threads run meanwhile; one at a time may call this.
    fn take(&mut self, py: Python<'_>, rows: &Bound<'_, PyList>) -> PyResult<TakenRows> {
        if self.waiting == 0 {
            self.words.bound();
        }
        let mut held: Vec<(Bound<'_, PyBytes>, Bound<'_, PyBytes>)> = Vec::with_capacity(rows.len());
        for row in rows.iter() {
            held.push(row.extract()?);
        }
        let bytes: Vec<(&[u8], &[u8])> = held.iter().map(|(key, row)| (key.as_bytes(), row.as_bytes())).collect();
        let mut taken = TakenRows {
            left: Vec::new(),
            uncovered: Vec::new(),
        };
        let rules = Arc::clone(&self.rules); // what is derived borrows of them
        let items = py.detach(|| self.sum_up(&bytes, &rules, &mut taken));
        for (number, rep, item) in items {
            let id = PyString::from_bytes(py, bytes[number].0)?;
            let cell = cell_of(py, rep, &item, &id, &mut self.words, &self.classes)?;
            let item = said(py, &item, &self.classes)?;
            self.items.push((cell.unbind(), item.unbind()));
        }
        Ok(taken)
    }

    /// Add the sums by day of what was taken since the last call, as `streams.buckets.SumsByTime.add` does.
    fn add_days(&mut self, py: Python<'_>, buckets: &Bound<'_, PyDict>) -> PyResult<()> {
        add_amounts(py, std::mem::take(&mut self.days), &mut self.words, buckets)
    }

    /// The same by the minute.
    fn add_minutes(&mut self, py: Python<'_>, buckets: &Bound<'_, PyDict>) -> PyResult<()> {
        add_amounts(py, std::mem::take(&mut self.minutes), &mut self.words, buckets)
    }

    /// The same of closes.
    fn add_closes(&mut self, py: Python<'_>, buckets: &Bound<'_, PyDict>) -> PyResult<()> {
        add_amounts(py, std::mem::take(&mut self.closes), &mut self.words, buckets)
    }

    /// Of what was taken since the last call: (rep, the latest advance of each of the rep's entities).
    fn take_marks<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let marks = PyList::empty(py);
        for (rep, instants) in std::mem::take(&mut self.marks) {
            marks.append((self.words.rep_said(py, rep)?, instants))?;
        }
        self.waiting = 0;
        Ok(marks)
    }

    /// Of what was taken since the last call: (cell, item).
    fn take_items<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        PyList::new(py, std::mem::take(&mut self.items))
    }
}

/// Add amounts to sums by time.
fn add_amounts(py: Python<'_>, amounts: Amounts, words: &mut Vocabulary, buckets: &Bound<'_, PyDict>) -> PyResult<()> {
    for ((rep, time), mut amounts) in amounts {
        amounts.sort_unstable_by_key(|(measure, _)| *measure);
        let (rep, time) = (words.rep_said(py, rep)?, time.into_pyobject(py)?);
        let bucket = inner(buckets, &time)?;
        let sums = inner(&bucket, &rep)?;
        let is_new = sums.is_empty();
        for alike in amounts.chunk_by(|one, next| one.0 == next.0) {
            let measure = words.measure_said(py, alike[0].0)?;
            let amount: i128 = alike.iter().map(|(_, amount)| i128::from(*amount)).sum();
            let before = if is_new { None } else { sums.get_item(&measure)? };
            let total = match before {
                None => whole(py, amount)?,
                Some(before) => before.add(whole(py, amount)?)?,
            };
            if total.is_truthy()? {
                sums.set_item(measure, total)?;
            } else if sums.contains(&measure)? {
                sums.del_item(measure)?;
            }
        }
        if sums.is_empty() {
            bucket.del_item(rep)?;
            if bucket.is_empty() {
                buckets.del_item(&time)?;
            }
        }
    }
    Ok(())
}

impl Derivation {
    /// Add what the rows come to; their items, with the place of the row.
    fn sum_up<'a>(
        &mut self,
        rows: &[(&'a [u8], &'a [u8])],
        rules: &'a Rules,
        taken: &mut TakenRows,
    ) -> Vec<(usize, &'a str, Item<'a>)> {
        let mut items = Vec::new();
        let kind = self.kind;
        for (number, (key, row)) in rows.iter().enumerate() {
            // Whatever goes wrong in here is an unusual row; nothing of it is kept.
            let derived = catch_unwind(AssertUnwindSafe(|| match kind {
                Kind::Deal => derive::<DealStep>(row, rules),
                Kind::Lead => derive::<LeadStep>(row, rules),
                Kind::Call => derive::<CallStep>(row, rules),
                Kind::Email => derive::<EmailStep>(row, rules),
            }));
            match derived {
                Ok(Ok(derived)) if std::str::from_utf8(key).is_ok() => {
                    self.add(&derived);
                    let item = derived.figures.item.filter(|(_, item)| !self.past.has(item));
                    items.extend(item.map(|(rep, item)| (number, rep, item)));
                }
                Ok(Err(Some((first, last)))) => taken.uncovered.push((number, first, last)),
                Ok(_) | Err(_) => taken.left.push(number),
            }
        }
        items
    }

    fn add(&mut self, derived: &Derived<'_>) {
        self.newest = self.newest.max(derived.newest);
        self.waiting += derived.days.len() + derived.figures.advances.len();
        let mut place = 0;
        let sums = &derived.figures.sums;
        for alike in sums.chunk_by(|one, next| one.minute == next.minute && one.rep == next.rep) {
            let (rep, minute) = (self.words.rep(alike[0].rep), alike[0].minute);
            let words = &mut self.words;
            let mut put = |amounts: &mut Amounts, time: i64, only_closes: bool| {
                let taken = alike.iter().filter(|sum| !only_closes || sum.measure.is_close);
                let told = taken.map(|sum| (words.measure(sum.measure.dimensions()), sum.amount));
                amounts.entry((rep, time)).or_default().extend(told);
            };
            put(&mut self.days, derived.days[place], false);
            if minute > self.past.fine {
                put(&mut self.minutes, minute, false);
            }
            if minute > self.past.closes && alike.iter().any(|sum| sum.measure.is_close) {
                put(&mut self.closes, minute, true);
            }
            place += alike.len();
        }
        for (rep, at) in &derived.figures.advances {
            let rep = self.words.rep(rep);
            self.marks.entry(rep).or_default().push(*at);
        }
    }
}
