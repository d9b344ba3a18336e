//! What rows contribute, many at once: what a shard's cells are made of when a partition is opened.
//!
//! The figures of a row are those of the fold. A row of which anything is unusual is left to Python as a whole.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use crate::call::{CallStep, EmailStep};
use crate::deal::{DealStep, Rules};
use crate::event::Kind;
use crate::fold::{Entity, Fold};
use crate::lead::LeadStep;
use crate::row::State;
use crate::sums::{Figures, Left};
use crate::told::Told;

/// Why a row is left, and from when to when its steps go if the calendar's tables do not reach over them.
type NotDerived = Option<(i64, i64)>;

/// Note what a row contributes; the time of its newest event.
fn derive<'a, S: Entity<'a>>(
    key: &[u8],
    row: &'a [u8],
    rules: &'a Rules,
    told: &mut Told,
) -> Result<Option<i64>, NotDerived> {
    let state: State<'a, S> = State::read(row).ok_or(None)?;
    let figures = S::figures(&state.history, &state.links, rules).map_err(|left| reach(&state, left))?;
    told.note(key, &Figures::default(), &figures, &rules.calendar)
        .map_err(|left| reach(&state, left))?;
    Ok(state.history.last().map(|step| step.head().at))
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

/// Everything that rows come to, while they are read. Sums of what was added to cells already start afresh.
#[pyclass(module = "funnelwatch._native")]
pub struct Derivation {
    kind: Kind,
    rules: Arc<Rules>,
    told: Told,
    pub newest: Option<i64>,
}

/// What became of some rows: the places of those that are left to Python, and of those that only lack a calendar that
/// reaches over their steps, with the first and the last of these.
#[pyclass(frozen, get_all, module = "funnelwatch._native")]
#[derive(Default)]
pub struct TakenRows {
    left: Vec<usize>,
    uncovered: Vec<(usize, i64, i64)>,
}

#[pymethods]
impl Derivation {
    /// Rows of a kind, by the rules and the calendar's tables of its fold.
    #[new]
    fn new(fold: &Fold) -> Self {
        Derivation {
            kind: fold.kind,
            rules: Arc::new(fold.rules.clone()),
            told: Told::default(),
            newest: None,
        }
    }

    /// Take over the calendar's tables that the fold has by now.
    fn cover(&mut self, fold: &Fold) {
        self.rules = Arc::new(fold.rules.clone());
    }

    /// How many amounts, marks and items there are: what memory goes by.
    fn __len__(&self) -> usize {
        self.told.size()
    }

    /// Take rows as (key, row). Other threads run meanwhile; one at a time may call this.
    fn take(&mut self, py: Python<'_>, rows: &Bound<'_, PyList>) -> PyResult<TakenRows> {
        let mut held: Vec<(Bound<'_, PyBytes>, Bound<'_, PyBytes>)> = Vec::with_capacity(rows.len());
        for row in rows.iter() {
            held.push(row.extract()?);
        }
        let bytes: Vec<(&[u8], &[u8])> = held.iter().map(|(key, row)| (key.as_bytes(), row.as_bytes())).collect();
        Ok(py.detach(|| self.note(&bytes)))
    }
}

impl Derivation {
    /// What was taken since the last call. It is not summed up: different entities have little of the same minute.
    pub fn take_told(&mut self) -> Told {
        std::mem::take(&mut self.told)
    }

    fn note(&mut self, rows: &[(&[u8], &[u8])]) -> TakenRows {
        let mut taken = TakenRows::default();
        for (place, (key, row)) in rows.iter().enumerate() {
            let (kind, rules, told) = (self.kind, &*self.rules, &mut self.told);
            // Whatever goes wrong in here is an unusual row; nothing of it is noted.
            let derived = catch_unwind(AssertUnwindSafe(|| match kind {
                Kind::Deal => derive::<DealStep>(key, row, rules, told),
                Kind::Lead => derive::<LeadStep>(key, row, rules, told),
                Kind::Call => derive::<CallStep>(key, row, rules, told),
                Kind::Email => derive::<EmailStep>(key, row, rules, told),
            }));
            match derived {
                Ok(Ok(newest)) => self.newest = self.newest.max(newest),
                Ok(Err(Some((first, last)))) => taken.uncovered.push((place, first, last)),
                Ok(Err(None)) | Err(_) => taken.left.push(place),
            }
        }
        taken
    }
}
