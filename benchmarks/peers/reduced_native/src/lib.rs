//! The compiled twin of `peers/reduced.py`: the same rows, sums and counts. It takes the place of the product's fold of
//! deals; all else is the product's. An event that is not as in the work is left to the twin.

use _native::calendar::{Calendar, MINUTE_US};
use _native::chunk::Chunk;
use _native::event::instant;
use _native::fold::{partition_of, Folded};
use _native::json::Json;
use _native::pack::{Reader, Writer};
use _native::told::{Delta, Told};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};

const NOTHING: u8 = 255;
const LATE: u8 = 254;
const HEAD: usize = 25;

/// What an event says, as it stands in a chunk.
struct Step<'a> {
    offset: i64,
    at: i64,
    code: u8,
    stage: u8,
    cents: i64,
    rep: &'a str,
}

impl<'a> Step<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        Some(Step {
            offset: reader.int()?,
            at: reader.int()?,
            code: reader.int()? as u8,
            stage: reader.int()? as u8,
            cents: reader.int()?,
            rep: reader.text()?,
        })
    }
}

/// A row but for its moves.
struct Head {
    offset: i64,
    newest: i64,
    since: i64,
    stage: u8,
}

impl Head {
    fn read(row: &[u8]) -> Option<Self> {
        let number = |at: usize| Some(i64::from_le_bytes(row.get(at..at + 8)?.try_into().ok()?));
        Some(Head {
            offset: number(0)?,
            newest: number(8)?,
            since: number(16)?,
            stage: *row.get(24)?,
        })
    }

    fn write(&self, row: &mut [u8]) {
        row[..8].copy_from_slice(&self.offset.to_le_bytes());
        row[8..16].copy_from_slice(&self.newest.to_le_bytes());
        row[16..24].copy_from_slice(&self.since.to_le_bytes());
        row[24] = self.stage;
    }
}

#[pyclass]
struct ReducedFold {
    codes: Vec<String>,
    /// Codes of created, won, lost.
    counted: [u8; 3],
    stages: Vec<String>,
    /// The stages that won and lost lead to.
    closings: [u8; 2],
    calendar: Calendar,
    step: Writer,
    row: Vec<u8>,
}

#[pymethods]
impl ReducedFold {
    #[new]
    #[pyo3(signature = (*, codes, counted, stages, closings))]
    fn new(codes: Vec<String>, counted: [u8; 3], stages: Vec<String>, closings: [u8; 2]) -> Self {
        ReducedFold {
            codes,
            counted,
            stages,
            closings,
            calendar: Calendar::default(),
            step: Writer::default(),
            row: Vec::new(),
        }
    }

    fn cover(
        &mut self,
        epoch_ordinal: i64,
        first: i64,
        segments: Vec<(i64, i64)>,
        covered: (i64, i64),
        spans: Vec<(i64, i64, i64)>,
    ) {
        self.calendar = Calendar {
            segments,
            first,
            epoch_ordinal,
            covered,
            spans,
            bins: Vec::new(),
        };
    }

    fn read(
        &mut self,
        py: Python<'_>,
        records: &Bound<'_, PyAny>,
        _future_us_max: i64,
        _past_us_min: i64,
        _size_max: usize,
    ) -> PyResult<Chunk> {
        let mut chunk = Chunk::new(records.clone().unbind());
        for (number, record) in records.try_iter()?.enumerate() {
            let record = record?;
            let value = record.getattr(intern!(py, "value"))?;
            let offset: i64 = record.getattr(intern!(py, "offset"))?.extract()?;
            let value = value
                .cast::<PyBytes>()
                .ok()
                .and_then(|value| std::str::from_utf8(value.as_bytes()).ok());
            let read = value.and_then(|value| self.read_event(value, offset));
            match read {
                Some((subject, at)) => chunk.put_alone(py, &self.step.bytes, subject, number, at),
                None => chunk.leave_record(number),
            }
        }
        Ok(chunk)
    }

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
        let mut folded = Folded {
            left: Vec::new(),
            applied: 0,
            unchanged: 0,
            rows: PyDict::new(py).unbind(),
            known: Vec::new(),
            links: PyDict::new(py).unbind(),
            newest: None,
            told: Told::default(),
            uncovered: None,
        };
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
            let is_stray = row.is_none() && home.is_some_and(|home| partition_of(key.as_bytes(), partitions) != home);
            let row = row.as_ref().map(|row| row.as_bytes());
            if of_links || is_stray || self.fold_deal(chunk, number, row, &mut folded).is_none() {
                folded.left.push(number);
            } else if !self.row.is_empty() {
                folded.rows.bind(py).set_item(key, PyBytes::new(py, &self.row))?;
            }
        }
        folded.told.sum_up();
        Ok(folded)
    }
}

impl ReducedFold {
    /// Write the step of an event; its subject and time.
    fn read_event<'a>(&mut self, value: &'a str, offset: i64) -> Option<(&'a str, i64)> {
        let mut json = Json::new(value);
        json.expect(b'{')?;
        let (mut is_first, mut subject, mut code, mut at) = (true, None, None, None);
        let (mut rep, mut stage, mut amount) = (None, None, None);
        while let Some(name) = json.member(&mut is_first)? {
            match name {
                "subject" => subject = Some(json.plain()?),
                "type" => {
                    let said = json.plain()?;
                    code = Some(self.codes.iter().position(|one| one == said)? as u8);
                }
                "time" => at = Some(instant(json.plain()?)?),
                "data" => {
                    json.expect(b'{')?;
                    let mut is_first = true;
                    while let Some(name) = json.member(&mut is_first)? {
                        match name {
                            "rep_id" => rep = Some(json.plain()?),
                            "stage" => {
                                let said = json.plain()?;
                                stage = Some(self.stages.iter().position(|one| one == said)? as u8);
                            }
                            "amount" => {
                                json.peek();
                                let begin = json.place();
                                json.skip()?;
                                amount = Some(json.since(begin).parse::<f64>().ok()?);
                            }
                            _ => json.skip()?,
                        }
                    }
                }
                _ => json.skip()?,
            }
        }
        let (code, at) = (code?, at?);
        let [_, won, lost] = self.counted;
        let stage = match code {
            code if code == won => self.closings[0],
            code if code == lost => self.closings[1],
            _ => stage?,
        };
        let step = &mut self.step;
        step.bytes.clear();
        step.int(offset);
        step.int(at);
        step.int(i64::from(code));
        step.int(i64::from(stage));
        step.int((amount? * 100.0).round_ties_even() as i64);
        step.text(rep.filter(|rep| rep.len() < 256)?);
        Some((subject?, at))
    }

    /// Fold the events of a deal; its new row is in `self.row`, empty if nothing is new.
    fn fold_deal(&mut self, chunk: &Chunk, number: usize, row: Option<&[u8]>, folded: &mut Folded) -> Option<()> {
        let mut head = match row {
            Some(row) => Head::read(row)?,
            None => Head {
                offset: -1,
                newest: 0,
                since: 0,
                stage: NOTHING,
            },
        };
        self.row.clear();
        self.row.extend_from_slice(row.unwrap_or(&[0; HEAD]));
        let (mut applied, mut unchanged, mut known) = (0, 0, None);
        let begin = folded.told.deltas.len();
        for entry in chunk.entries(number) {
            let step = Step::read(chunk.bytes(entry))?;
            if step.offset <= head.offset {
                unchanged += 1;
                known = known.or(Some(entry.record));
                continue;
            }
            head.offset = step.offset;
            let (mut left, mut stayed) = (head.stage, 0);
            if step.at < head.since {
                left = LATE;
            } else {
                if head.stage != NOTHING {
                    stayed = step.at - head.since;
                }
                (head.stage, head.since, head.newest) = (step.stage, step.at, step.at);
            }
            let minute = step.at.div_euclid(MINUTE_US);
            let Ok(day) = self.calendar.day_of_minute(minute) else {
                folded.told.deltas.truncate(begin);
                return None;
            };
            self.count(&step, (minute, day), (left, stayed), &mut folded.told);
            self.row.extend_from_slice(&minute.to_le_bytes());
            self.row.extend_from_slice(&[step.code, left]);
            self.row.extend_from_slice(&stayed.to_le_bytes());
            self.row.extend_from_slice(&step.cents.to_le_bytes());
            self.row.push(step.rep.len() as u8);
            self.row.extend_from_slice(step.rep.as_bytes());
            applied += 1;
        }
        folded.applied += applied;
        folded.unchanged += unchanged;
        if applied == 0 {
            self.row.clear();
            folded.known.extend(known.map(|record| (number, record)));
        } else {
            head.write(&mut self.row);
            folded.newest = folded.newest.max(Some(head.newest));
        }
        Some(())
    }

    /// What one event counts for.
    fn count(&self, step: &Step<'_>, (minute, day): (i64, i64), (left, stayed): (u8, i64), told: &mut Told) {
        let rep = told.reps.number(step.rep.as_bytes());
        let mut add = |name: &str, stage: Option<u8>, amount: i64| {
            let mut measure = Writer::default();
            measure.array(1 + usize::from(stage.is_some()));
            measure.text(name);
            if let Some(stage) = stage {
                measure.text(&self.stages[usize::from(stage)]);
            }
            let measure = told.measures.number(&measure.bytes);
            told.deltas.push(Delta {
                rep,
                minute,
                day,
                measure,
                is_close: false,
                amount,
            });
        };
        add("n", None, 1);
        for (code, name) in self.counted.iter().zip(["created_count", "won_count", "lost_count"]) {
            if step.code == *code {
                add(name, None, 1);
            }
        }
        if step.code == self.counted[1] {
            add("amt", None, step.cents);
        }
        if left < LATE {
            add("dc", Some(left), 1);
            add("ds", Some(left), stayed);
        } else if left == LATE {
            add("late", None, 1);
        }
    }
}

#[pymodule]
fn funnelwatch_reduced(module: &Bound<'_, PyModule>) -> PyResult<()> {
    _native::fill(module)?;
    module.add_class::<ReducedFold>()
}
