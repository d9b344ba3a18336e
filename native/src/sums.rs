//! What entities contribute to their reps, and the names it is said with: numbered, so that they are made once.

use std::collections::HashMap;

use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};

use crate::calendar::{Calendar, Uncovered, MINUTE_US};
use crate::pack::{Reader, Writer};

/// So many names are kept between two chunks; then the memory starts afresh.
const NAMES_MAX: usize = 1 << 16;

/// A name, and what Python calls it, once it was asked.
struct Name<T> {
    bytes: Box<[u8]>,
    said: Option<Py<T>>,
}

/// Names by their bytes, numbered in the order in which they came.
pub struct Names<T> {
    numbers: HashMap<Box<[u8]>, u32>,
    names: Vec<Name<T>>,
}

impl<T> Default for Names<T> {
    fn default() -> Self {
        Names {
            numbers: HashMap::new(),
            names: Vec::new(),
        }
    }
}

impl<T> Names<T> {
    pub fn number(&mut self, name: &[u8]) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = self.names.len() as u32;
        self.numbers.insert(name.into(), number);
        self.names.push(Name {
            bytes: name.into(),
            said: None,
        });
        number
    }

    fn bound(&mut self) {
        if self.names.len() > NAMES_MAX {
            self.numbers.clear();
            self.names.clear();
        }
    }

    fn said<'py>(
        &mut self,
        py: Python<'py>,
        number: u32,
        make: impl FnOnce(Python<'py>, &[u8]) -> PyResult<Bound<'py, T>>,
    ) -> PyResult<Bound<'py, T>> {
        let name = &mut self.names[number as usize];
        if let Some(said) = &name.said {
            return Ok(said.bind(py).clone());
        }
        let made = make(py, &name.bytes)?;
        name.said = Some(made.clone().unbind());
        Ok(made)
    }
}

#[derive(Default)]
pub struct Vocabulary {
    pub reps: Names<PyString>,
    pub measures: Names<PyTuple>,
    scratch: Writer,
}

/// A dimension of a measure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Dimension<'a> {
    Text(&'a str),
    Int(i64),
}

impl Vocabulary {
    /// Between two chunks.
    pub fn bound(&mut self) {
        self.reps.bound();
        self.measures.bound();
    }

    pub fn rep(&mut self, rep: &str) -> u32 {
        self.reps.number(rep.as_bytes())
    }

    pub fn measure(&mut self, dimensions: &[Dimension<'_>]) -> u32 {
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

    pub fn rep_said<'py>(&mut self, py: Python<'py>, rep: u32) -> PyResult<Bound<'py, PyString>> {
        self.reps.said(py, rep, |py, name| PyString::from_bytes(py, name))
    }

    pub fn measure_said<'py>(&mut self, py: Python<'py>, measure: u32) -> PyResult<Bound<'py, PyTuple>> {
        self.measures.said(py, measure, |py, name| {
            let mut reader = Reader::new(name);
            let size = reader.array().unwrap_or_default();
            let mut dimensions: Vec<Bound<'py, PyAny>> = Vec::with_capacity(size);
            for _ in 0..size {
                let mut ahead = reader.clone();
                if let Some(number) = ahead.int() {
                    reader = ahead;
                    dimensions.push(number.into_pyobject(py)?.into_any());
                } else {
                    dimensions.push(PyString::intern(py, reader.text().unwrap_or_default()).into_any());
                }
            }
            PyTuple::new(py, dimensions)
        })
    }
}

/// A measure: its name, then its dimensions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measure<'a> {
    dimensions: [Dimension<'a>; DIMENSIONS_MAX],
    size: usize,
    /// Whether it is one of `CLOSE_MEASURES`.
    pub is_close: bool,
}

const DIMENSIONS_MAX: usize = 5;

impl<'a> Measure<'a> {
    pub fn of<const SIZE: usize>(said: [Dimension<'a>; SIZE]) -> Self {
        let mut dimensions = [Dimension::Int(0); DIMENSIONS_MAX];
        dimensions[..SIZE].copy_from_slice(&said);
        Measure {
            dimensions,
            size: SIZE,
            is_close: false,
        }
    }

    pub fn of_close<const SIZE: usize>(said: [Dimension<'a>; SIZE]) -> Self {
        Measure {
            is_close: true,
            ..Measure::of(said)
        }
    }

    pub fn dimensions(&self) -> &[Dimension<'a>] {
        &self.dimensions[..self.size]
    }
}

/// An amount of a measure, credited to a rep in a minute.
#[derive(Clone, Debug, PartialEq)]
pub struct Sum<'a> {
    pub rep: &'a str,
    pub minute: i64,
    pub measure: Measure<'a>,
    pub amount: i64,
}

pub type Sums<'a> = Vec<Sum<'a>>;

/// Credit an amount of a measure to a rep at an instant.
pub fn count<'a>(sums: &mut Sums<'a>, rep: &'a str, at: i64, measure: Measure<'a>, amount: i64) {
    sums.push(Sum {
        rep,
        minute: at.div_euclid(MINUTE_US),
        measure,
        amount,
    });
}

#[derive(Clone, Debug, PartialEq)]
pub enum Item<'a> {
    OpenDeal {
        pipeline: &'a str,
        stage: &'a str,
        currency: &'a str,
        amount: Option<i64>,
        created_at: i64,
        entered_at: i64,
        owned_since: i64,
        touched_at: i64,
        snoozed_until: Option<i64>,
        customer: Option<&'a str>,
    },
    LostDeal {
        closed_at: i64,
        pipeline: &'a str,
        stage: &'a str,
        reason: &'a str,
        currency: &'a str,
        amount: Option<i64>,
    },
    OpenLead {
        state: &'a str,
        created_at: i64,
        entered_at: i64,
        first_touch_at: Option<i64>,
        touched_at: i64,
        channel: Option<&'a str>,
    },
    Recording {
        at: i64,
        url: &'a str,
        deal_id: Option<&'a str>,
        outcome: Option<&'a str>,
        talk_ms: Option<i64>,
        talk_ratio: Option<i64>,
    },
}

impl Item<'_> {
    /// Whether both are of one type: then one takes the other's place.
    pub fn is_like(&self, other: &Item<'_>) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

/// What one entity adds to its reps: `streams.cells.Contribution`.
#[derive(Default)]
pub struct Figures<'a> {
    pub sums: Sums<'a>,
    /// Whose it is, and what.
    pub item: Option<(&'a str, Item<'a>)>,
    /// Rep, and the latest advance credited to the rep.
    pub advances: Vec<(&'a str, i64)>,
}

/// Why an entity is left to the twin.
#[derive(Debug)]
pub enum Left {
    Unusual,
    Uncovered(i64),
}

impl From<Uncovered> for Left {
    fn from(Uncovered(at): Uncovered) -> Self {
        Left::Uncovered(at)
    }
}

/// The bin of a duration.
pub fn bin_of(calendar: &Calendar, duration_us: i64) -> Result<Dimension<'static>, Left> {
    calendar.bin_of(duration_us).map(Dimension::Int).ok_or(Left::Unusual)
}

/// A sojourn ends: `streams.entities.flow.leave`.
pub fn leave<'a>(
    sums: &mut Sums<'a>,
    (rep, pipeline, stage): (&'a str, &'a str, &'a str),
    how: &'a str,
    (since, at): (i64, i64),
    calendar: &Calendar,
) -> Result<(), Left> {
    use Dimension::Text;
    let working = calendar.working_us(since, at)?;
    let wall = at - since;
    let (work_bin, wall_bin) = (bin_of(calendar, working)?, bin_of(calendar, wall)?);
    let (pipeline, stage) = (Text(pipeline), Text(stage));
    count(
        sums,
        rep,
        at,
        Measure::of([Text("left"), pipeline, stage, Text(how)]),
        1,
    );
    count(sums, rep, at, Measure::of([Text("work"), pipeline, stage, work_bin]), 1);
    count(sums, rep, at, Measure::of([Text("wall"), pipeline, stage, wall_bin]), 1);
    if working != 0 {
        count(sums, rep, at, Measure::of([Text("work_us"), pipeline, stage]), working);
    }
    if wall != 0 {
        count(sums, rep, at, Measure::of([Text("wall_us"), pipeline, stage]), wall);
    }
    Ok(())
}
