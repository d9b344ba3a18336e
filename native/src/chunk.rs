//! A chunk as it is read: events or links by the entity they are for, as bytes.

use std::panic::{catch_unwind, AssertUnwindSafe};

use hashbrown::HashMap;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString};

use crate::event::{self, Reading};
use crate::json::Json;
use crate::pack::{Reader, Writer};
use crate::row::{Link, Received};

/// As of `schemas.codec`.
const EVENTS_MAX: usize = 100_000;
const END: u32 = u32::MAX;
/// Of a record that is one event.
const ALONE: i64 = -1;

type Span = std::ops::Range<usize>;

/// One event (as its step) or one link (as it came).
pub struct Entry {
    pub record: usize,
    index: i64,
    at: i64,
    span: Span,
    next: u32,
}

pub struct Group {
    pub key: Py<PyBytes>,
    first: u32,
    last: u32,
    /// Python has items of this entity that we do not know: it takes all of them.
    pub is_given_up: bool,
}

#[pyclass(module = "funnelwatch._native")]
pub struct Chunk {
    pub records: Py<PyAny>,
    pub groups: Vec<Group>,
    entries: Vec<Entry>,
    written: Writer,
    places: HashMap<Box<[u8]>, usize>,
    others: Vec<usize>,
}

impl Chunk {
    pub fn new(records: Py<PyAny>) -> Self {
        Chunk {
            records,
            groups: Vec::new(),
            entries: Vec::new(),
            written: Writer::default(),
            places: HashMap::new(),
            others: Vec::new(),
        }
    }

    fn put(&mut self, py: Python<'_>, key: &[u8], entry: Entry) {
        let number = self.entries.len() as u32;
        if let Some(place) = self.places.get(key) {
            let group = &mut self.groups[*place];
            self.entries[group.last as usize].next = number;
            group.last = number;
        } else {
            self.places.insert(key.into(), self.groups.len());
            self.groups.push(Group {
                key: PyBytes::new(py, key).unbind(),
                first: number,
                last: number,
                is_given_up: false,
            });
        }
        self.entries.push(entry);
    }

    /// The entries of a group, in order.
    pub fn entries(&self, group: usize) -> impl Iterator<Item = &Entry> {
        let mut next = self.groups[group].first;
        std::iter::from_fn(move || {
            let entry = self.entries.get(next as usize)?;
            next = entry.next;
            Some(entry)
        })
    }

    pub fn bytes(&self, entry: &Entry) -> &[u8] {
        &self.written.bytes[entry.span.clone()]
    }

    /// Read the events of one record; whether they are for us.
    pub fn read(
        &mut self,
        py: Python<'_>,
        record: &Bound<'_, PyAny>,
        number: usize,
        reading: &Reading<'_>,
    ) -> PyResult<bool> {
        let value = record.getattr(intern!(py, "value"))?;
        let Ok(value) = value.cast::<PyBytes>() else {
            return Ok(false);
        };
        if !is_structured(&record.getattr(intern!(py, "headers"))?)? {
            return Ok(false);
        }
        let Ok(value) = std::str::from_utf8(value.as_bytes()) else {
            return Ok(false);
        };
        let begin = self.written.bytes.len();
        // Nothing is put before all of a record is read: whatever goes wrong before is Python's to say.
        let is_read = catch_unwind(AssertUnwindSafe(|| match Json::new(value).peek() {
            b'{' => self.read_one(py, value, number, ALONE, reading),
            b'[' => self.read_batch(py, value, number, reading),
            _ => None,
        }))
        .unwrap_or(None);
        if is_read.is_none() {
            self.written.bytes.truncate(begin);
        }
        Ok(is_read.is_some())
    }

    fn read_one(
        &mut self,
        py: Python<'_>,
        value: &str,
        record: usize,
        index: i64,
        reading: &Reading<'_>,
    ) -> Option<()> {
        let begin = self.written.bytes.len();
        let event = event::read(value, reading, &mut self.written)?;
        let span = begin..self.written.bytes.len();
        self.put(
            py,
            event.subject.as_bytes(),
            Entry {
                record,
                index,
                at: event.at,
                span,
                next: END,
            },
        );
        Some(())
    }

    /// All events of a batch, or none.
    fn read_batch(&mut self, py: Python<'_>, value: &str, record: usize, reading: &Reading<'_>) -> Option<()> {
        let mut json = Json::new(value);
        json.expect(b'[')?;
        let mut read = Vec::new();
        loop {
            json.peek();
            let begin = json.place();
            json.skip()?;
            let step_begin = self.written.bytes.len();
            let event = event::read(json.since(begin), reading, &mut self.written)?;
            read.push((event, step_begin..self.written.bytes.len()));
            if json.peek() == b']' {
                break;
            }
            json.expect(b',')?;
        }
        json.expect(b']')?;
        if !json.is_done() || read.len() > EVENTS_MAX {
            return None;
        }
        for (index, (event, span)) in read.into_iter().enumerate() {
            let entry = Entry {
                record,
                index: index as i64,
                at: event.at,
                span,
                next: END,
            };
            self.put(py, event.subject.as_bytes(), entry);
        }
        Some(())
    }

    pub fn leave_record(&mut self, number: usize) {
        self.others.push(number);
    }

    pub fn put_link(&mut self, py: Python<'_>, value: &[u8], key: &str, record: usize) {
        self.put_alone(py, value, key, record, 0);
    }

    /// Put what a record says about one entity.
    pub fn put_alone(&mut self, py: Python<'_>, value: &[u8], key: &str, record: usize, at: i64) {
        let begin = self.written.bytes.len();
        self.written.bytes.extend_from_slice(value);
        let entry = Entry {
            record,
            index: ALONE,
            at,
            span: begin..self.written.bytes.len(),
            next: END,
        };
        self.put(py, key.as_bytes(), entry);
    }
}

#[pymethods]
impl Chunk {
    /// The ids of the entities, in the order in which they first came.
    fn keys<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        PyList::new(py, self.groups.iter().map(|group| group.key.bind(py)))
    }

    /// The records that Python has to read.
    fn others(&self) -> Vec<usize> {
        self.others.clone()
    }

    /// Where the items of an entity are: record and place in its batch, None if the record is one item.
    fn items(&self, group: usize) -> Vec<(usize, Option<i64>)> {
        self.entries(group)
            .map(|entry| (entry.record, (entry.index != ALONE).then_some(entry.index)))
            .collect()
    }

    /// Leave an entity to Python; its number, None if it is not among ours.
    fn give_up(&mut self, key: &[u8]) -> Option<usize> {
        let place = *self.places.get(key)?;
        self.groups[place].is_given_up = true;
        Some(place)
    }

    /// Of what is not given up: how many events, how many of them before an instant, the newest last one of an entity.
    fn summary(&self, punctual_us: i64) -> (usize, usize, Option<i64>) {
        let (mut count, mut late, mut newest) = (0, 0, None);
        for (number, group) in self.groups.iter().enumerate() {
            if group.is_given_up {
                continue;
            }
            newest = newest.max(Some(self.entries[group.last as usize].at));
            for entry in self.entries(number) {
                count += 1;
                late += usize::from(entry.at < punctual_us);
            }
        }
        (count, late, newest)
    }

    /// The earliest and the latest instant of any event.
    fn span(&self) -> Option<(i64, i64)> {
        let instants = || self.entries.iter().map(|entry| entry.at);
        Some((instants().min()?, instants().max()?))
    }
}

/// Whether headers leave no doubt that the message is in structured mode.
fn is_structured(headers: &Bound<'_, PyAny>) -> PyResult<bool> {
    if headers.is_none() {
        return Ok(true);
    }
    for header in headers.try_iter()? {
        let (name, value) = header?.extract::<(Bound<'_, PyAny>, Bound<'_, PyAny>)>()?;
        let (Ok(name), Ok(value)) = (name.cast::<PyString>(), value.cast::<PyBytes>()) else {
            return Ok(false);
        };
        let name = name.to_cow()?;
        let is_known = if name == "content-type" {
            matches!(
                value.as_bytes(),
                b"application/cloudevents+json" | b"application/cloudevents-batch+json"
            )
        } else {
            name.is_ascii() && !name.eq_ignore_ascii_case("content-type") && !begins_as_attribute(&name)
        };
        if !is_known {
            return Ok(false);
        }
    }
    Ok(true)
}

fn begins_as_attribute(name: &str) -> bool {
    name.get(..3).is_some_and(|begin| begin.eq_ignore_ascii_case("ce_"))
}

/// A link as it is stored on its topic, the name of its target's kind, and the target's id.
pub fn read_link(value: &[u8]) -> Option<(&str, &str, Link<'_>)> {
    let mut reader = Reader::new(value);
    let size = reader.array().filter(|size| matches!(size, 7 | 8))?;
    let (target, target_id) = (reader.text()?, reader.text()?);
    let origin = match reader.text()? {
        "deal" => 0,
        "call" => 1,
        "email" => 2,
        _ => return None,
    };
    let id = reader.text()?;
    reader.text()?; // the fact: its origin says as much
    let (at, version) = (reader.maybe_int()?, reader.int()?);
    let told_at = if size == 8 { reader.int()? } else { 0 };
    let received = Received {
        origin,
        id,
        version,
        at,
    };
    reader
        .is_done()
        .then_some((target, target_id, Link { received, told_at }))
}
