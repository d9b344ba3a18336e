//! Lines of events to the messages of their homes: what `agents.packing` does of a line, for many lines in one step.
//!
//! What leaves any doubt is left to Python, line by line, and so in order.

use std::collections::HashMap;
use std::mem;
use std::panic::{catch_unwind, AssertUnwindSafe};

use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use crate::fold::partition_of;
use crate::json::Json;

/// Events that wait for others of their home, as they will be sent but for the end: `[{…},{…}`.
#[derive(Default)]
struct Pack {
    written: Vec<u8>,
    events: usize,
    size: usize,
}

struct Message {
    home: usize,
    key: Option<Box<[u8]>>,
    value: Vec<u8>,
}

/// Topic, partition, key and value.
type Sent<'py> = (
    Bound<'py, PyString>,
    u32,
    Option<Bound<'py, PyBytes>>,
    Bound<'py, PyBytes>,
);

#[pyclass(module = "funnelwatch._native")]
pub struct Packer {
    topics: Vec<(String, Py<PyString>)>,
    topic_of: HashMap<String, usize>,
    partitions: u32,
    pack: usize,
    pack_bytes: usize,
    /// By home: the number of the topic, and within it of the partition.
    waiting: Vec<Pack>,
    counts: Vec<u64>,
    full: Vec<Message>,
}

#[pymethods]
impl Packer {
    #[new]
    fn new(
        py: Python<'_>,
        topic_of: HashMap<String, String>,
        partitions: u32,
        pack: usize,
        pack_bytes: usize,
    ) -> PyResult<Self> {
        let mut names: Vec<String> = topic_of.values().cloned().collect();
        names.sort();
        names.dedup();
        let number_of = |name: &String| names.iter().position(|known| known == name).unwrap_or_default();
        let topic_of = topic_of.iter().map(|(kind, name)| (kind.clone(), number_of(name)));
        Ok(Packer {
            topic_of: topic_of.collect(),
            waiting: (0..names.len() * partitions as usize)
                .map(|_| Pack::default())
                .collect(),
            counts: vec![0; names.len()],
            topics: names
                .into_iter()
                .map(|name| {
                    let told = PyString::new(py, &name).unbind();
                    (name, told)
                })
                .collect(),
            partitions,
            pack,
            pack_bytes,
            full: Vec::new(),
        })
    }

    /// Take lines from a place on, so many at most: where the first one begins that is left, and how many were taken.
    fn read(&mut self, py: Python<'_>, block: &[u8], at: usize, lines_max: usize) -> (usize, usize) {
        py.detach(|| self.read_lines(block, at, lines_max))
    }

    /// Take one event.
    fn add(&mut self, topic: &str, subject: &[u8], event: &[u8]) -> PyResult<()> {
        let number = self.topics.iter().position(|(name, _)| name == topic);
        let number = number.ok_or_else(|| PyKeyError::new_err(topic.to_owned()))?;
        self.put(number, subject, event);
        Ok(())
    }

    /// The messages that nothing more goes into; they are forgotten here.
    fn take<'py>(&mut self, py: Python<'py>) -> Vec<Sent<'py>> {
        let full = mem::take(&mut self.full);
        let sent = full.into_iter().map(|message| {
            let partitions = self.partitions as usize;
            let topic = self.topics[message.home / partitions].1.bind(py).clone();
            let key = message.key.map(|key| PyBytes::new(py, &key));
            let value = PyBytes::new(py, &message.value);
            (topic, (message.home % partitions) as u32, key, value)
        });
        sent.collect()
    }

    /// Nothing more goes into any message.
    fn close(&mut self) {
        for home in 0..self.waiting.len() {
            self.close_one(home);
        }
    }

    /// How many events were taken, by topic.
    fn counts(&self) -> HashMap<&str, u64> {
        let names = self.topics.iter().map(|(name, _)| name.as_str());
        names.zip(self.counts.iter().copied()).collect()
    }
}

impl Packer {
    fn read_lines(&mut self, block: &[u8], mut at: usize, lines_max: usize) -> (usize, usize) {
        let mut lines = 0;
        while at < block.len() && lines < lines_max {
            let rest = &block[at..];
            let size = rest
                .iter()
                .position(|byte| *byte == b'\n')
                .map_or(rest.len(), |end| end + 1);
            let line = rest[..size].trim_ascii();
            if !line.is_empty() {
                let head = catch_unwind(AssertUnwindSafe(|| head(line))).ok().flatten();
                let Some((kind, subject)) = head else {
                    break;
                };
                let Some(topic) = self.topic_of.get(kind).copied() else {
                    break;
                };
                self.put(topic, subject.as_bytes(), line);
            }
            at += size;
            lines += 1;
        }
        (at, lines)
    }

    fn put(&mut self, topic: usize, subject: &[u8], event: &[u8]) {
        self.counts[topic] += 1;
        let home = topic * self.partitions as usize + partition_of(subject, self.partitions) as usize;
        if self.pack == 1 {
            let (key, value) = (Some(subject.into()), event.to_vec());
            self.full.push(Message { home, key, value });
            return;
        }
        if self.waiting[home].events > 0 && self.waiting[home].size + event.len() > self.pack_bytes {
            self.close_one(home);
        }
        let pack = &mut self.waiting[home];
        pack.written.push(if pack.events == 0 { b'[' } else { b',' });
        pack.written.extend_from_slice(event);
        pack.events += 1;
        pack.size += event.len();
        if pack.events == self.pack {
            self.close_one(home);
        }
    }

    fn close_one(&mut self, home: usize) {
        let Pack {
            written: mut value,
            events,
            ..
        } = mem::take(&mut self.waiting[home]);
        match events {
            0 => return,
            1 => drop(value.remove(0)), // an event alone is no batch
            _ => value.push(b']'),
        }
        self.full.push(Message { home, key: None, value });
    }
}

/// The type and the subject of an event that every reader takes for the same.
fn head(line: &[u8]) -> Option<(&str, &str)> {
    let mut json = Json::new(std::str::from_utf8(line).ok()?);
    json.expect(b'{')?;
    let (mut kind, mut subject) = (None, None);
    let mut is_first = true;
    while let Some(name) = json.member(&mut is_first)? {
        let place = match name {
            "type" => &mut kind,
            "subject" => &mut subject,
            _ => {
                json.skip()?;
                continue;
            }
        };
        if place.replace(json.plain()?).is_some() {
            return None;
        }
    }
    json.is_done().then_some((kind?, subject?))
}
