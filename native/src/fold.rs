//! The fold of a chunk: rows in; new rows, what to add to cells, links and counts out.
//!
//! An entity of which anything is unusual is left to Python as a whole, which then does all of it.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::panic::{catch_unwind, AssertUnwindSafe};

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PySet, PyString, PyTuple};

use crate::calendar::Calendar;
use crate::call::{self, CallStep, EmailStep, Touch};
use crate::chunk::{read_link, Chunk};
use crate::deal::{self, DealStep, Rules};
use crate::event::{Kind, Reading};
use crate::lead::{self, LeadStep};
use crate::pack::{Reader, Writer};
use crate::row::{last_set, Received, State, Step, Taken};
use crate::sums::{Figures, Item, Left, Sum, Sums, Vocabulary};

/// As of `agents.engine.chunk_fold`.
const ROW_BYTES_MAX: usize = 700_000;

/// A fact for another entity: kind and id of it, and since when it is so.
pub type Fact<'a> = (Kind, &'a str, Option<i64>);

pub type BeforeAndAfter<'a> = (Figures<'a>, Figures<'a>);

/// What kinds of entities differ in.
pub trait Entity<'a>: Step<'a> {
    const FACT: &'static str;

    fn figures(history: &[Self], links: &[Received<'_>], rules: &'a Rules) -> Result<Figures<'a>, Left>;

    /// What steps change that come last: see `Fold.difference`.
    fn difference(_: &State<'a, Self>, _known: usize, _: &'a Rules) -> Result<Option<BeforeAndAfter<'a>>, Left> {
        Ok(None)
    }

    /// What links alone change: see `Fold.relinked`.
    fn relinked(_: &State<'a, Self>, _: &'a Rules) -> Result<Option<BeforeAndAfter<'a>>, Left> {
        Ok(None)
    }

    fn facts(_history: &[Self]) -> Vec<Fact<'a>> {
        Vec::new()
    }
}

impl<'a> Entity<'a> for DealStep<'a> {
    const FACT: &'static str = "won";

    fn figures(history: &[Self], links: &[Received<'_>], rules: &'a Rules) -> Result<Figures<'a>, Left> {
        deal::figures(history, links, rules)
    }

    fn difference(state: &State<'a, Self>, known: usize, rules: &'a Rules) -> Result<Option<BeforeAndAfter<'a>>, Left> {
        deal::difference(&state.history, known, &state.links, rules)
    }

    fn relinked(state: &State<'a, Self>, rules: &'a Rules) -> Result<Option<BeforeAndAfter<'a>>, Left> {
        deal::relinked(&state.history, state.links_before(), &state.links, rules).map(Some)
    }

    fn facts(history: &[Self]) -> Vec<Fact<'a>> {
        let told = deal::facts(history).into_iter();
        told.map(|(lead, at)| (Kind::Lead, lead, at)).collect()
    }
}

impl<'a> Entity<'a> for LeadStep<'a> {
    const FACT: &'static str = "";

    fn figures(history: &[Self], links: &[Received<'_>], rules: &'a Rules) -> Result<Figures<'a>, Left> {
        lead::figures(history, links, &rules.calendar)
    }

    fn relinked(state: &State<'a, Self>, rules: &'a Rules) -> Result<Option<BeforeAndAfter<'a>>, Left> {
        lead::relinked(&state.history, state.links_before(), &state.links, &rules.calendar)
    }
}

impl<'a> Entity<'a> for CallStep<'a> {
    const FACT: &'static str = "touch";

    fn figures(history: &[Self], _: &[Received<'_>], _: &'a Rules) -> Result<Figures<'a>, Left> {
        Ok(call::call_figures(history))
    }

    fn facts(history: &[Self]) -> Vec<Fact<'a>> {
        touch_facts(history)
    }
}

impl<'a> Entity<'a> for EmailStep<'a> {
    const FACT: &'static str = "touch";

    fn figures(history: &[Self], _: &[Received<'_>], _: &'a Rules) -> Result<Figures<'a>, Left> {
        Ok(call::email_figures(history))
    }

    fn facts(history: &[Self]) -> Vec<Fact<'a>> {
        touch_facts(history)
    }
}

/// What was named last is touched, what was named earlier is not.
fn touch_facts<'a, S: Touch<'a>>(history: &[S]) -> Vec<Fact<'a>> {
    let at = call::touched_at(history);
    let mut facts = Vec::new();
    let mut tell = |kind: Kind, member: fn(&S) -> Option<&'a str>| {
        let named: BTreeSet<&str> = history.iter().filter_map(member).collect();
        let present = last_set(history, member);
        facts.extend(
            named
                .into_iter()
                .map(|id| (kind, id, at.filter(|_| Some(id) == present))),
        );
    };
    tell(Kind::Lead, S::lead);
    tell(Kind::Deal, S::deal);
    facts
}

/// What is to be added to one measure of a rep.
struct Delta<'a> {
    sum: Sum<'a>,
    day: i64,
}

/// What became of one entity.
struct Done<'a> {
    applied: usize,
    unchanged: usize,
    /// The first record whose item was known already.
    known_record: Option<usize>,
    /// Its newest event.
    newest: Option<i64>,
    deltas: Vec<Delta<'a>>,
    before: Figures<'a>,
    after: Figures<'a>,
    facts: Vec<Fact<'a>>,
    version: i64,
}

/// Fold the items of one entity; its new row is in `written` if anything was applied.
fn fold_entity<'a, S: Entity<'a>>(
    chunk: &'a Chunk,
    number: usize,
    row: Option<&'a [u8]>,
    of_links: bool,
    rules: &'a Rules,
    written: &mut Writer,
) -> Result<(Done<'a>, &'static str), Left> {
    let mut state: State<'a, S> = match row {
        None => State::empty(),
        Some(row) => State::read(row).ok_or(Left::Unusual)?,
    };
    let (mut applied, mut unchanged, mut known_record) = (0, 0, None);
    for entry in chunk.entries(number) {
        let bytes = chunk.bytes(entry);
        let taken = if of_links {
            let (_, _, link) = read_link(bytes).ok_or(Left::Unusual)?;
            state.receive(link)
        } else {
            let step = S::read(&mut Reader::new(bytes)).ok_or(Left::Unusual)?;
            state.observe(step)
        };
        match taken.ok_or(Left::Unusual)? {
            Taken::New => applied += 1,
            Taken::Known => {
                unchanged += 1;
                known_record = known_record.or(Some(entry.record));
            }
        }
    }
    let mut done = Done {
        applied,
        unchanged,
        known_record,
        newest: state.history.last().map(|step| step.head().at),
        deltas: Vec::new(),
        before: Figures::default(),
        after: Figures::default(),
        facts: S::facts(&state.history),
        version: state.history.len() as i64,
    };
    if applied == 0 {
        return Ok((done, S::FACT));
    }
    if unchanged == 0 && row.is_some() && !done.facts.is_empty() {
        let told: HashSet<Fact<'_>> = S::facts(state.history_before()).into_iter().collect();
        done.facts.retain(|fact| !told.contains(fact));
    }
    let short = if row.is_none() {
        None
    } else if of_links {
        S::relinked(&state, rules)?
    } else if let Some(known) = state.only_longer() {
        S::difference(&state, known, rules)?
    } else {
        None
    };
    (done.before, done.after) = match short {
        Some(figures) => figures,
        None => (
            match row {
                None => Figures::default(),
                Some(_) => S::figures(state.history_before(), state.links_before(), rules)?,
            },
            S::figures(&state.history, &state.links, rules)?,
        ),
    };
    done.deltas = deltas(&mut done.before.sums, &mut done.after.sums, &rules.calendar)?;
    written.bytes.clear();
    state.write(written);
    if written.bytes.len() > ROW_BYTES_MAX {
        return Err(Left::Unusual);
    }
    Ok((done, S::FACT))
}

/// What differs between the sums before and after. They mostly begin alike.
fn deltas<'a>(before: &mut Sums<'a>, after: &mut Sums<'a>, calendar: &Calendar) -> Result<Vec<Delta<'a>>, Left> {
    let alike = before
        .iter()
        .zip(after.iter())
        .take_while(|(left, right)| left == right)
        .count();
    let mut found = Vec::with_capacity(before.len() + after.len() - 2 * alike);
    let mut last = None;
    for (sums, sign) in [(before, -1), (after, 1)] {
        for mut sum in sums.drain(..).skip(alike) {
            let day = match last {
                Some((minute, day)) if minute == sum.minute => day,
                _ => calendar.day_of_minute(sum.minute)?,
            };
            last = Some((sum.minute, day));
            sum.amount *= sign;
            found.push(Delta { sum, day });
        }
    }
    Ok(found)
}

/// Sums of (rep, time, measure).
type Totals = HashMap<(u32, i64, u32), i128>;

/// The classes of which what is told is made.
pub struct Classes {
    cell: Py<PyAny>,
    open_deal: Py<PyAny>,
    lost_deal: Py<PyAny>,
    open_lead: Py<PyAny>,
    recording: Py<PyAny>,
}

impl Classes {
    pub fn clone_ref(&self, py: Python<'_>) -> Self {
        Classes {
            cell: self.cell.clone_ref(py),
            open_deal: self.open_deal.clone_ref(py),
            lost_deal: self.lost_deal.clone_ref(py),
            open_lead: self.open_lead.clone_ref(py),
            recording: self.recording.clone_ref(py),
        }
    }
}

/// What a fold of a chunk came to.
#[pyclass(frozen, get_all, module = "funnelwatch._native")]
pub struct Folded {
    /// Numbers of the entities that are left to Python.
    left: Vec<usize>,
    applied: usize,
    unchanged: usize,
    /// Key → new row.
    rows: Py<PyDict>,
    /// (number of an entity of which nothing is new, the first record that says what is known).
    known: Vec<(usize, usize)>,
    /// Partition → (key, link as bytes).
    links: Py<PyDict>,
    /// The newest event of any entity with something new.
    newest: Option<i64>,
    sums: Py<FoldedSums>,
    /// (rep, latest advance before, latest advance now).
    marks: Py<PyList>,
    gone: Py<PyList>,
    /// (cell, item).
    items: Py<PyList>,
    /// An instant that the calendar's tables do not cover.
    uncovered: Option<i64>,
}

/// What is added to one measure of a rep, at a day or in a minute.
struct Total {
    rep: Py<PyString>,
    time: i64,
    measure: Py<PyTuple>,
    amount: i128,
}

/// The sums of a `Folded`.
#[pyclass(frozen, module = "funnelwatch._native")]
pub struct FoldedSums {
    days: Vec<Total>,
    minutes: Vec<Total>,
    closes: Vec<Total>,
}

#[pymethods]
impl FoldedSums {
    fn add_days(&self, py: Python<'_>, buckets: &Bound<'_, PyDict>, changed: &Bound<'_, PySet>) -> PyResult<()> {
        add_sums(py, &self.days, buckets, changed)
    }

    fn add_minutes(&self, py: Python<'_>, buckets: &Bound<'_, PyDict>, changed: &Bound<'_, PySet>) -> PyResult<()> {
        add_sums(py, &self.minutes, buckets, changed)
    }

    fn add_closes(&self, py: Python<'_>, buckets: &Bound<'_, PyDict>, changed: &Bound<'_, PySet>) -> PyResult<()> {
        add_sums(py, &self.closes, buckets, changed)
    }
}

/// The fold of one kind of entity.
#[pyclass(module = "funnelwatch._native")]
pub struct Fold {
    pub kind: Kind,
    codes: Vec<String>,
    currencies: Vec<String>,
    pub rules: Rules,
    pub classes: Classes,
    words: Vocabulary,
    row: Writer,
}

#[pymethods]
impl Fold {
    #[new]
    #[allow(clippy::too_many_arguments)] // Python names them
    #[pyo3(signature = (*, kind, codes, currencies, currency, stage_order, bins, cell, open_deal, lost_deal, open_lead, recording))]
    fn new(
        kind: &str,
        codes: Vec<String>,
        mut currencies: Vec<String>,
        currency: String,
        stage_order: deal::StageOrder,
        bins: Vec<i64>,
        cell: Py<PyAny>,
        open_deal: Py<PyAny>,
        lost_deal: Py<PyAny>,
        open_lead: Py<PyAny>,
        recording: Py<PyAny>,
    ) -> PyResult<Self> {
        let unknown =
            || pyo3::exceptions::PyValueError::new_err(format!("entities of kind {kind} are not folded here"));
        currencies.sort();
        Ok(Fold {
            kind: Kind::named(kind).ok_or_else(unknown)?,
            codes,
            currencies,
            rules: Rules {
                order: stage_order,
                currency,
                calendar: Calendar {
                    bins,
                    ..Calendar::default()
                },
            },
            classes: Classes {
                cell,
                open_deal,
                lost_deal,
                open_lead,
                recording,
            },
            words: Vocabulary::default(),
            row: Writer::default(),
        })
    }

    /// Take the calendar's tables: segments as (end, offset) from `first` on, spans as (begin, length, before).
    fn cover(
        &mut self,
        epoch_ordinal: i64,
        first: i64,
        segments: Vec<(i64, i64)>,
        covered: (i64, i64),
        spans: Vec<(i64, i64, i64)>,
    ) {
        let calendar = &mut self.rules.calendar;
        *calendar = Calendar {
            segments,
            first,
            epoch_ordinal,
            covered,
            spans,
            bins: std::mem::take(&mut calendar.bins),
        };
    }

    /// The events of some records, by entity. What is later or earlier than the bounds, or larger, is left to Python.
    fn read(
        &self,
        py: Python<'_>,
        records: &Bound<'_, PyAny>,
        future_us_max: i64,
        past_us_min: i64,
        size_max: usize,
    ) -> PyResult<Chunk> {
        let reading = Reading {
            kind: self.kind,
            codes: &self.codes,
            currencies: &self.currencies,
            future_us_max,
            past_us_min,
            size_max,
        };
        let mut chunk = Chunk::new(records.clone().unbind());
        for (number, record) in records.try_iter()?.enumerate() {
            if !chunk.read(py, &record?, number, &reading)? {
                chunk.leave_record(number);
            }
        }
        Ok(chunk)
    }

    /// Fold a chunk into the rows of its entities.
    ///
    /// `home`: (partition, how many there are): an entity without a row that belongs elsewhere is left to Python.
    /// Sums by minute are made for minutes after `fine_from`, closes after `closes_from`.
    #[allow(clippy::too_many_arguments)] // Python names them
    #[pyo3(signature = (chunk, rows, *, of_links, partitions, home, fine_from, closes_from))]
    fn fold(
        &mut self,
        py: Python<'_>,
        chunk: &Chunk,
        rows: &Bound<'_, PyList>,
        of_links: bool,
        partitions: u32,
        home: Option<u32>,
        fine_from: i64,
        closes_from: i64,
    ) -> PyResult<Folded> {
        self.words.bound();
        let mut out = Output::new(py, partitions, fine_from, closes_from);
        for (number, group) in chunk.groups.iter().enumerate() {
            if group.is_given_up {
                continue;
            }
            let key = group.key.bind(py);
            let row = rows.get_item(number)?;
            let row = if row.is_none() {
                None
            } else {
                Some(row.cast_into::<PyBytes>()?)
            };
            if row.is_none() && home.is_some_and(|home| partition_of(key.as_bytes(), partitions) != home) {
                out.left.push(number);
                continue;
            }
            let row_bytes = row.as_ref().map(|row| row.as_bytes());
            let (kind, rules, written) = (self.kind, &self.rules, &mut self.row);
            // Whatever goes wrong in here is an unusual entity; nothing of it is kept.
            let done = catch_unwind(AssertUnwindSafe(|| match kind {
                Kind::Deal => fold_entity::<DealStep>(chunk, number, row_bytes, of_links, rules, written),
                Kind::Lead => fold_entity::<LeadStep>(chunk, number, row_bytes, of_links, rules, written),
                Kind::Call => fold_entity::<CallStep>(chunk, number, row_bytes, of_links, rules, written),
                Kind::Email => fold_entity::<EmailStep>(chunk, number, row_bytes, of_links, rules, written),
            }));
            match done {
                Ok(Ok((done, fact))) => {
                    if done.applied > 0 {
                        out.rows.set_item(key, PyBytes::new(py, &self.row.bytes))?;
                    }
                    out.tell(py, self.kind, key.as_bytes(), fact, &done)?;
                    out.put(py, number, key.as_bytes(), done, &mut self.words, &self.classes)?;
                }
                Ok(Err(Left::Uncovered(at))) => {
                    out.uncovered = Some(at);
                    out.left.push(number);
                }
                Ok(Err(Left::Unusual)) | Err(_) => out.left.push(number),
            }
        }
        out.finish(py, &mut self.words)
    }
}

/// What is told of a chunk, while it grows.
struct Output<'py> {
    partitions: u32,
    fine_from: i64,
    closes_from: i64,
    left: Vec<usize>,
    applied: usize,
    unchanged: usize,
    rows: Bound<'py, PyDict>,
    known: Vec<(usize, usize)>,
    links: HashMap<u32, Bound<'py, PyList>>,
    newest: Option<i64>,
    days: Totals,
    minutes: Totals,
    closes: Totals,
    marks: Bound<'py, PyList>,
    gone: Bound<'py, PyList>,
    items: Bound<'py, PyList>,
    uncovered: Option<i64>,
    link: Writer,
}

impl<'py> Output<'py> {
    fn new(py: Python<'py>, partitions: u32, fine_from: i64, closes_from: i64) -> Self {
        Output {
            partitions,
            fine_from,
            closes_from,
            left: Vec::new(),
            applied: 0,
            unchanged: 0,
            rows: PyDict::new(py),
            known: Vec::new(),
            links: HashMap::new(),
            newest: None,
            days: Totals::new(),
            minutes: Totals::new(),
            closes: Totals::new(),
            marks: PyList::empty(py),
            gone: PyList::empty(py),
            items: PyList::empty(py),
            uncovered: None,
            link: Writer::default(),
        }
    }

    /// The links of an entity, as `streams.links.encode` writes them.
    fn tell(&mut self, py: Python<'py>, origin: Kind, key: &[u8], fact: &str, done: &Done<'_>) -> PyResult<()> {
        let Some((told_at, id)) = done.newest.zip(std::str::from_utf8(key).ok()) else {
            return Ok(()); // nothing is told of an entity without any event
        };
        for (target, target_id, at) in &done.facts {
            let link = &mut self.link;
            link.bytes.clear();
            link.array(8);
            link.text(target.name());
            link.text(target_id);
            link.text(origin.name());
            link.text(id);
            link.text(fact);
            link.maybe_int(*at);
            link.int(done.version);
            link.int(told_at);
            let partition = partition_of(target_id.as_bytes(), self.partitions);
            let home = self.links.entry(partition).or_insert_with(|| PyList::empty(py));
            home.append((PyBytes::new(py, target_id.as_bytes()), PyBytes::new(py, &link.bytes)))?;
        }
        Ok(())
    }

    fn put(
        &mut self,
        py: Python<'py>,
        number: usize,
        key: &[u8],
        done: Done<'_>,
        words: &mut Vocabulary,
        classes: &Classes,
    ) -> PyResult<()> {
        self.applied += done.applied;
        self.unchanged += done.unchanged;
        if done.applied == 0 {
            self.known.extend(done.known_record.map(|record| (number, record)));
            return Ok(());
        }
        self.newest = self.newest.max(done.newest);
        for Delta { sum, day } in &done.deltas {
            let (rep, measure) = (words.rep(sum.rep), words.measure(sum.measure.dimensions()));
            let amount = i128::from(sum.amount);
            *self.days.entry((rep, *day, measure)).or_default() += amount;
            if sum.minute > self.fine_from {
                *self.minutes.entry((rep, sum.minute, measure)).or_default() += amount;
            }
            if sum.measure.is_close && sum.minute > self.closes_from {
                *self.closes.entry((rep, sum.minute, measure)).or_default() += amount;
            }
        }
        let (old, new) = (&done.before.advances, &done.after.advances);
        for (rep, at) in new {
            let was = old.iter().find(|(one, _)| one == rep).map(|(_, at)| *at);
            if was != Some(*at) {
                self.marks.append((*rep, was, Some(*at)))?;
            }
        }
        for (rep, at) in old {
            if !new.iter().any(|(one, _)| one == rep) {
                self.marks.append((*rep, Some(*at), None::<i64>))?;
            }
        }
        if done.before.item == done.after.item {
            return Ok(());
        }
        let id = PyString::from_bytes(py, key)?;
        let mut cell = |rep: &str, item: &Item<'_>| cell_of(py, rep, item, &id, words, classes);
        if let Some((rep, item)) = &done.before.item {
            let stays = done
                .after
                .item
                .as_ref()
                .is_some_and(|(new_rep, new)| new_rep == rep && new.is_like(item));
            if !stays {
                self.gone.append(cell(rep, item)?)?;
            }
        }
        if let Some((rep, item)) = &done.after.item {
            self.items.append((cell(rep, item)?, said(py, item, classes)?))?;
        }
        Ok(())
    }

    fn finish(self, py: Python<'py>, words: &mut Vocabulary) -> PyResult<Folded> {
        let links = PyDict::new(py);
        for (partition, records) in self.links {
            links.set_item(partition, records)?;
        }
        let sums = FoldedSums {
            days: said_totals(py, self.days, words)?,
            minutes: said_totals(py, self.minutes, words)?,
            closes: said_totals(py, self.closes, words)?,
        };
        Ok(Folded {
            left: self.left,
            applied: self.applied,
            unchanged: self.unchanged,
            rows: self.rows.unbind(),
            known: self.known,
            links: links.unbind(),
            newest: self.newest,
            sums: Py::new(py, sums)?,
            marks: self.marks.unbind(),
            gone: self.gone.unbind(),
            items: self.items.unbind(),
            uncovered: self.uncovered,
        })
    }
}

/// Add to sums by time, as `streams.buckets.SumsByTime.add` does to its buckets.
fn add_sums(py: Python<'_>, totals: &[Total], buckets: &Bound<'_, PyDict>, changed: &Bound<'_, PySet>) -> PyResult<()> {
    for changes in totals.chunk_by(|one, next| one.time == next.time && one.rep.is(&next.rep)) {
        let (rep, time) = (changes[0].rep.bind(py), changes[0].time.into_pyobject(py)?);
        changed.add((rep, &time))?;
        let bucket = inner(buckets, &time)?;
        let sums = inner(&bucket, rep)?;
        for Total { measure, amount, .. } in changes {
            let measure = measure.bind(py);
            let total = match sums.get_item(measure)? {
                None => whole(py, *amount)?,
                Some(before) => match before.extract::<i64>() {
                    Ok(before) => whole(py, i128::from(before) + amount)?,
                    Err(_) => before.add(whole(py, *amount)?)?,
                },
            };
            if total.is_truthy()? {
                sums.set_item(measure, total)?;
            } else {
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

/// The dictionary under a key, made if there is none.
pub fn inner<'py, T>(outer: &Bound<'py, PyDict>, key: &Bound<'py, T>) -> PyResult<Bound<'py, PyDict>> {
    if let Some(known) = outer.get_item(key)? {
        return Ok(known.cast_into::<PyDict>()?);
    }
    let made = PyDict::new(outer.py());
    outer.set_item(key, &made)?;
    Ok(made)
}

pub fn whole(py: Python<'_>, amount: i128) -> PyResult<Bound<'_, PyAny>> {
    match i64::try_from(amount) {
        Ok(amount) => Ok(amount.into_pyobject(py)?.into_any()),
        Err(_) => Ok(amount.into_pyobject(py)?.into_any()),
    }
}

/// What to add, by (rep, time).
fn said_totals(py: Python<'_>, totals: Totals, words: &mut Vocabulary) -> PyResult<Vec<Total>> {
    let mut totals: Vec<_> = totals.into_iter().filter(|(_, amount)| *amount != 0).collect();
    totals.sort_unstable_by_key(|(key, _)| *key);
    let said = totals.into_iter().map(|((rep, time, measure), amount)| {
        Ok(Total {
            rep: words.rep_said(py, rep)?.unbind(),
            time,
            measure: words.measure_said(py, measure)?.unbind(),
            amount,
        })
    });
    said.collect()
}

/// The cell of an item.
pub fn cell_of<'py>(
    py: Python<'py>,
    rep: &str,
    item: &Item<'_>,
    id: &Bound<'py, PyString>,
    words: &mut Vocabulary,
    classes: &Classes,
) -> PyResult<Bound<'py, PyAny>> {
    let number = words.rep(rep);
    let rep = words.rep_said(py, number)?;
    let name = match item {
        Item::OpenDeal { .. } => intern!(py, "open_deal"),
        Item::LostDeal { .. } => intern!(py, "lost_deal"),
        Item::OpenLead { .. } => intern!(py, "open_lead"),
        Item::Recording { .. } => intern!(py, "recording"),
    };
    classes.cell.bind(py).call1((rep, name, id))
}

pub fn said<'py>(py: Python<'py>, item: &Item<'_>, classes: &Classes) -> PyResult<Bound<'py, PyAny>> {
    match *item {
        Item::OpenDeal {
            pipeline,
            stage,
            currency,
            amount,
            created_at,
            entered_at,
            owned_since,
            touched_at,
            snoozed_until,
            customer,
        } => classes.open_deal.bind(py).call1((
            PyString::intern(py, pipeline),
            PyString::intern(py, stage),
            PyString::intern(py, currency),
            amount,
            created_at,
            entered_at,
            owned_since,
            touched_at,
            snoozed_until,
            customer,
        )),
        Item::LostDeal {
            closed_at,
            pipeline,
            stage,
            reason,
            currency,
            amount,
        } => classes
            .lost_deal
            .bind(py)
            .call1((closed_at, pipeline, stage, reason, currency, amount)),
        Item::OpenLead {
            state,
            created_at,
            entered_at,
            first_touch_at,
            touched_at,
            channel,
        } => classes.open_lead.bind(py).call1((
            PyString::intern(py, state),
            created_at,
            entered_at,
            first_touch_at,
            touched_at,
            channel,
        )),
        Item::Recording {
            at,
            url,
            deal_id,
            outcome,
            talk_ms,
            talk_ratio,
        } => classes
            .recording
            .bind(py)
            .call1((at, url, deal_id, outcome, talk_ms, talk_ratio)),
    }
}

/// The partition of an entity: `agents.partitioning`.
pub fn partition_of(key: &[u8], partitions: u32) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let mut words = key.chunks_exact(4);
    let mut hashed = 0x9747_b28c ^ key.len() as u32;
    for word in &mut words {
        let mut mixed = u32::from_le_bytes([word[0], word[1], word[2], word[3]]).wrapping_mul(M);
        mixed = (mixed ^ mixed >> 24).wrapping_mul(M);
        hashed = hashed.wrapping_mul(M) ^ mixed;
    }
    let rest = words.remainder();
    if !rest.is_empty() {
        let word = rest.iter().rev().fold(0, |word, byte| word << 8 | u32::from(*byte));
        hashed = (hashed ^ word).wrapping_mul(M);
    }
    hashed = (hashed ^ hashed >> 13).wrapping_mul(M);
    ((hashed ^ hashed >> 15) & 0x7fff_ffff) % partitions
}
