//! Local days, working time and bins, from tables that the Python calendar made: nothing is computed in a second way.

pub const MINUTE_US: i64 = 60_000_000;
pub const DAY_US: i64 = 86_400_000_000;

/// An instant that the tables do not cover yet.
#[derive(Debug)]
pub struct Uncovered(pub i64);

#[derive(Clone, Default)]
pub struct Calendar {
    /// Stretches of UTC in order, without gaps: end (exclusive) and the offset of local time.
    pub segments: Vec<(i64, i64)>,
    pub first: i64,
    pub epoch_ordinal: i64,
    /// What `starts` cover: from (inclusive) and to (exclusive).
    pub covered: (i64, i64),
    /// Spans of working time: begin, length, working time before.
    pub spans: Vec<(i64, i64, i64)>,
    /// The smallest duration (µs) of each bin but the first.
    pub bins: Vec<i64>,
}

impl Calendar {
    /// The local day of a minute.
    pub fn day_of_minute(&self, minute: i64) -> Result<i64, Uncovered> {
        let at = minute * MINUTE_US;
        if at < self.first {
            return Err(Uncovered(at));
        }
        let place = self.segments.partition_point(|(end, _)| *end <= at);
        let (_, offset) = self.segments.get(place).ok_or(Uncovered(at))?;
        Ok((at + offset).div_euclid(DAY_US) + self.epoch_ordinal)
    }

    /// Working µs between two instants; 0 when `end` is not after `start`.
    pub fn working_us(&self, start: i64, end: i64) -> Result<i64, Uncovered> {
        if end <= start {
            return Ok(0);
        }
        if start < self.covered.0 {
            return Err(Uncovered(start));
        }
        if end >= self.covered.1 {
            return Err(Uncovered(end));
        }
        Ok(self.before(end) - self.before(start))
    }

    fn before(&self, at: i64) -> i64 {
        match self.spans.partition_point(|(start, _, _)| *start <= at) {
            0 => 0,
            place => {
                let (start, length, before) = self.spans[place - 1];
                before + (at - start).min(length)
            }
        }
    }

    /// The bin of a duration in µs, as `streams.sketch.bin_of` has it. `None`: it is too long.
    pub fn bin_of(&self, duration_us: i64) -> Option<i64> {
        let place = self.bins.partition_point(|least| *least <= duration_us);
        (place < self.bins.len()).then_some(place as i64 - 1)
    }
}
