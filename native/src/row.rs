//! The row of an entity: its steps in order, what others told it. What `streams.history` and `streams.links` do with it.
//!
//! Only rows without repeats are read. `None`: it is for the twin.

use crate::pack::{Reader, Writer};

/// As of `streams.history`.
const HISTORY_MAX: usize = 1_000;
/// As of `streams.links`.
const LINKS_MAX: usize = 256;
/// Code of the links that say "won"; the others say "touch".
pub const DEAL_ORIGIN: i64 = 0;

#[derive(Clone, Debug)]
pub struct Head<'a> {
    pub at: i64,
    pub source: &'a str,
    pub id: &'a str,
    pub code: usize,
    pub rep: Option<&'a str>,
    /// The whole step as it is stored.
    pub raw: &'a [u8],
}

impl<'a> Head<'a> {
    fn stamp(&self) -> (i64, &'a str, &'a str) {
        (self.at, self.source, self.id)
    }
}

pub trait Step<'a>: Clone {
    /// Members of a stored step.
    const SIZE: usize;
    /// Event types.
    const CODES: usize;
    /// Whether others tell entities of this kind something.
    const RECEIVES: bool;

    fn read_members(head: Head<'a>, reader: &mut Reader<'a>) -> Option<Self>;
    fn head(&self) -> &Head<'a>;
    fn set_raw(&mut self, raw: &'a [u8]);

    fn read(reader: &mut Reader<'a>) -> Option<Self> {
        let begin = reader.at;
        reader.array_of(Self::SIZE)?;
        let head = Head {
            at: reader.int()?,
            source: reader.text()?,
            id: reader.text()?,
            code: usize::try_from(reader.int()?).ok().filter(|code| *code < Self::CODES)?,
            rep: reader.maybe_text()?,
            raw: &[],
        };
        let mut step = Self::read_members(head, reader)?;
        step.set_raw(reader.since(begin));
        Some(step)
    }
}

/// What another entity told: (code of its kind, its id, version, at).
#[derive(Clone, Debug, PartialEq)]
pub struct Received<'a> {
    pub origin: i64,
    pub id: &'a str,
    pub version: i64,
    pub at: Option<i64>,
}

impl Received<'_> {
    fn rank(&self) -> (i64, i64) {
        (self.version, self.at.unwrap_or(-1))
    }
}

/// A link as it arrives.
pub struct Link<'a> {
    pub received: Received<'a>,
    pub told_at: i64,
}

pub fn touches<'r>(links: &'r [Received<'_>]) -> impl Iterator<Item = i64> + 'r {
    links
        .iter()
        .filter(|link| link.origin != DEAL_ORIGIN)
        .filter_map(|link| link.at)
}

pub fn earliest_win(links: &[Received<'_>]) -> Option<i64> {
    links
        .iter()
        .filter(|link| link.origin == DEAL_ORIGIN)
        .filter_map(|link| link.at)
        .min()
}

/// What became of an event or a link.
#[derive(PartialEq)]
pub enum Taken {
    New,
    Known,
}

pub struct State<'a, S> {
    pub history: Vec<S>,
    pub links: Vec<Received<'a>>,
    withdrawn_at: i64,
    raw_links: &'a [u8],
    /// So many steps from the first on are those of the row, unless `before` has them.
    known: usize,
    before: Option<Vec<S>>,
    links_before: Option<Vec<Received<'a>>>,
}

impl<'a, S: Step<'a>> State<'a, S> {
    pub fn empty() -> Self {
        State {
            history: Vec::new(),
            links: Vec::new(),
            withdrawn_at: 0,
            raw_links: &[0x90],
            known: 0,
            before: None,
            links_before: None,
        }
    }

    pub fn read(row: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(row);
        reader.array_of(if S::RECEIVES { 4 } else { 3 })?;
        let size = reader.array()?;
        if size > HISTORY_MAX {
            return None;
        }
        let mut history = Vec::with_capacity(size + 2);
        for _ in 0..size {
            history.push(S::read(&mut reader)?);
        }
        reader.array_of(0)?; // repeats
        let begin = reader.at;
        let size = reader.array()?;
        if size > LINKS_MAX {
            return None;
        }
        let mut links = Vec::with_capacity(size + 1);
        for _ in 0..size {
            reader.array_of(4)?;
            links.push(Received {
                origin: reader.int()?,
                id: reader.text()?,
                version: reader.int()?,
                at: reader.maybe_int()?,
            });
        }
        let raw_links = reader.since(begin);
        let withdrawn_at = if S::RECEIVES { reader.int()? } else { 0 };
        let known = history.len();
        reader.is_done().then_some(State {
            history,
            links,
            withdrawn_at,
            raw_links,
            known,
            before: None,
            links_before: None,
        })
    }

    /// The steps of the row, as they were.
    pub fn history_before(&self) -> &[S] {
        match &self.before {
            Some(before) => before,
            None => &self.history[..self.known],
        }
    }

    pub fn links_before(&self) -> &[Received<'a>] {
        self.links_before.as_deref().unwrap_or(&self.links)
    }

    /// How many steps are those of the row, if nothing but steps behind them is new.
    pub fn only_longer(&self) -> Option<usize> {
        let is_only_longer = self.known > 0 && self.before.is_none() && self.links_before.is_none();
        is_only_longer.then_some(self.known)
    }

    /// Take a step into the set. `None`: it contradicts what is known, or there is no room.
    pub fn observe(&mut self, step: S) -> Option<Taken> {
        let head = step.head();
        let known = self
            .history
            .iter()
            .map(S::head)
            .find(|one| one.id == head.id && one.source == head.source);
        if let Some(known) = known {
            return (known.raw == head.raw).then_some(Taken::Known);
        }
        if self.history.len() >= HISTORY_MAX {
            return None;
        }
        let stamp = head.stamp();
        if self.history.last().is_none_or(|last| last.head().stamp() < stamp) {
            self.history.push(step);
            return Some(Taken::New);
        }
        let place = self.history.partition_point(|one| one.head().stamp() < stamp);
        if place < self.known && self.before.is_none() {
            self.before = Some(self.history[..self.known].to_vec());
        }
        self.history.insert(place, step);
        Some(Taken::New)
    }

    /// Take a fact another entity tells. `None`: there is no room.
    pub fn receive(&mut self, link: Link<'a>) -> Option<Taken> {
        let one = link.received;
        let key = (one.origin, one.id);
        let is_taken_back = one.at.is_none();
        let place = self.links.partition_point(|known| (known.origin, known.id) < key);
        let known = self.links.get(place).filter(|known| (known.origin, known.id) == key);
        let mut taken = Taken::Known;
        if known.is_none_or(|known| known.rank() < one.rank()) {
            if self.links_before.is_none() {
                self.links_before = Some(self.links.clone());
            }
            if known.is_some() {
                self.links[place] = one;
            } else {
                self.links.insert(place, one);
            }
            taken = Taken::New;
        }
        if self.links.len() > LINKS_MAX {
            return None;
        }
        if is_taken_back && link.told_at > self.withdrawn_at {
            self.withdrawn_at = link.told_at;
            taken = Taken::New;
        }
        Some(taken)
    }

    pub fn write(&self, row: &mut Writer) {
        row.array(if S::RECEIVES { 4 } else { 3 });
        row.array(self.history.len());
        for step in &self.history {
            row.bytes.extend_from_slice(step.head().raw);
        }
        row.array(0);
        if self.links_before.is_none() {
            row.bytes.extend_from_slice(self.raw_links);
        } else {
            row.array(self.links.len());
            for link in &self.links {
                row.array(4);
                row.int(link.origin);
                row.text(link.id);
                row.int(link.version);
                row.maybe_int(link.at);
            }
        }
        if S::RECEIVES {
            row.int(self.withdrawn_at);
        }
    }
}

/// The owner from the beginning: the first one ever set.
pub fn first_owner<'a, S: Step<'a>>(history: &[S]) -> &'a str {
    history.iter().find_map(|step| step.head().rep).unwrap_or("")
}

/// The owner after one step, its own members included.
pub fn owner_after<'a, S: Step<'a>>(history: &[S], place: usize) -> &'a str {
    history[..=place]
        .iter()
        .rev()
        .find_map(|step| step.head().rep)
        .unwrap_or_else(|| first_owner(history))
}

/// The place of the last step of each type, by its code.
pub fn last_places<'a, S: Step<'a>, const CODES: usize>(history: &[S]) -> [Option<usize>; CODES] {
    let mut places = [None; CODES];
    for (place, step) in history.iter().enumerate() {
        places[step.head().code] = Some(place);
    }
    places
}

/// The value of the last step that sets a member.
pub fn last_set<S, T>(history: &[S], member: impl Fn(&S) -> Option<T>) -> Option<T> {
    history.iter().rev().find_map(member)
}
