//! The fold of a chunk: rows in; new rows, what to add to cells, links and counts out.
//!
//! An entity of which anything is unusual is left to Python as a whole, which then does all of it.

use std::collections::BTreeSet;
use std::panic::{catch_unwind, AssertUnwindSafe};

use hashbrown::{HashMap, HashSet};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};

use crate::calendar::Calendar;
use crate::call::{self, CallStep, EmailStep, Touch};
use crate::chunk::{read_link, Chunk};
use crate::deal::{self, DealStep, Rules};
use crate::event::{Kind, Reading};
use crate::lead::{self, LeadStep};
use crate::pack::{Reader, Writer};
use crate::row::{last_set, Received, State, Step, Taken};
use crate::sums::{Figures, Left};
use crate::told::Told;

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

/// What became of one entity.
struct Done<'a> {
    applied: usize,
    unchanged: usize,
    /// The first record whose item was known already.
    known_record: Option<usize>,
    /// Its newest event.
    newest: Option<i64>,
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
    written.bytes.clear();
    state.write(written);
    if written.bytes.len() > ROW_BYTES_MAX {
        return Err(Left::Unusual);
    }
    Ok((done, S::FACT))
}

/// What a fold of a chunk came to.
#[pyclass(frozen, module = "funnelwatch._native")]
pub struct Folded {
    /// Numbers of the entities that are left to Python.
    #[pyo3(get)]
    pub left: Vec<usize>,
    #[pyo3(get)]
    pub applied: usize,
    #[pyo3(get)]
    pub unchanged: usize,
    /// Key → new row.
    #[pyo3(get)]
    pub rows: Py<PyDict>,
    /// (number of an entity of which nothing is new, the first record that says what is known).
    #[pyo3(get)]
    pub known: Vec<(usize, usize)>,
    /// Partition → (key, link as bytes).
    #[pyo3(get)]
    pub links: Py<PyDict>,
    /// The newest event of any entity with something new.
    #[pyo3(get)]
    pub newest: Option<i64>,
    /// What is to be added to cells.
    pub told: Told,
    /// An instant that the calendar's tables do not cover.
    #[pyo3(get)]
    pub uncovered: Option<i64>,
}

/// The fold of one kind of entity.
#[pyclass(module = "funnelwatch._native")]
pub struct Fold {
    pub kind: Kind,
    codes: Vec<String>,
    currencies: Vec<String>,
    pub rules: Rules,
    row: Writer,
}

#[pymethods]
impl Fold {
    #[new]
    #[allow(clippy::too_many_arguments)] // Python names them
    #[pyo3(signature = (*, kind, codes, currencies, currency, stage_order, bins))]
    fn new(
        kind: &str,
        codes: Vec<String>,
        mut currencies: Vec<String>,
        currency: String,
        stage_order: deal::StageOrder,
        bins: Vec<i64>,
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
    #[allow(clippy::too_many_arguments)] // Python names them
    #[pyo3(signature = (chunk, rows, *, of_links, partitions, home))]
    fn fold(
        &mut self,
        py: Python<'_>,
        chunk: &Chunk,
        rows: &Bound<'_, PyList>,
        of_links: bool,
        partitions: u32,
        home: Option<u32>,
    ) -> PyResult<Folded> {
        let mut out = Output::new(py, partitions);
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
            let noted = match done {
                Ok(Ok((done, fact))) => {
                    let calendar = &self.rules.calendar;
                    let noted = out.told.note(key.as_bytes(), &done.before, &done.after, calendar);
                    noted.map(|()| (done, fact))
                }
                Ok(Err(left)) => Err(left),
                Err(_) => Err(Left::Unusual),
            };
            match noted {
                Ok((done, fact)) => {
                    if done.applied > 0 {
                        out.rows.set_item(key, PyBytes::new(py, &self.row.bytes))?;
                    }
                    out.tell(py, self.kind, key.as_bytes(), fact, &done)?;
                    out.count(number, &done);
                }
                Err(Left::Uncovered(at)) => {
                    out.uncovered = Some(at);
                    out.left.push(number);
                }
                Err(Left::Unusual) => out.left.push(number),
            }
        }
        out.finish(py)
    }
}

/// What is told of a chunk, while it grows.
struct Output<'py> {
    partitions: u32,
    left: Vec<usize>,
    applied: usize,
    unchanged: usize,
    rows: Bound<'py, PyDict>,
    known: Vec<(usize, usize)>,
    links: HashMap<u32, Bound<'py, PyList>>,
    newest: Option<i64>,
    told: Told,
    uncovered: Option<i64>,
    link: Writer,
}

impl<'py> Output<'py> {
    fn new(py: Python<'py>, partitions: u32) -> Self {
        Output {
            partitions,
            left: Vec::new(),
            applied: 0,
            unchanged: 0,
            rows: PyDict::new(py),
            known: Vec::new(),
            links: HashMap::new(),
            newest: None,
            told: Told::default(),
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

    fn count(&mut self, number: usize, done: &Done<'_>) {
        self.applied += done.applied;
        self.unchanged += done.unchanged;
        if done.applied == 0 {
            self.known.extend(done.known_record.map(|record| (number, record)));
        } else {
            self.newest = self.newest.max(done.newest);
        }
    }

    fn finish(mut self, py: Python<'py>) -> PyResult<Folded> {
        let links = PyDict::new(py);
        for (partition, records) in self.links {
            links.set_item(partition, records)?;
        }
        self.told.sum_up();
        Ok(Folded {
            left: self.left,
            applied: self.applied,
            unchanged: self.unchanged,
            rows: self.rows.unbind(),
            known: self.known,
            links: links.unbind(),
            newest: self.newest,
            told: self.told,
            uncovered: self.uncovered,
        })
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
