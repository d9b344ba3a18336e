//! What entities contribute to their reps.

use crate::calendar::{Calendar, Uncovered, MINUTE_US};
use crate::pack::Writer;
use crate::told::ItemKind;

/// A dimension of a measure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Dimension<'a> {
    Text(&'a str),
    Int(i64),
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
    pub fn kind(&self) -> ItemKind {
        match self {
            Item::OpenDeal { .. } => ItemKind::OpenDeal,
            Item::LostDeal { .. } => ItemKind::LostDeal,
            Item::OpenLead { .. } => ItemKind::OpenLead,
            Item::Recording { .. } => ItemKind::Recording,
        }
    }

    /// The instant from which it ages; `None`: it does not.
    pub fn ages_from(&self) -> Option<i64> {
        match self {
            Item::LostDeal { closed_at, .. } => Some(*closed_at),
            Item::Recording { at, .. } => Some(*at),
            _ => None,
        }
    }

    /// As it is published: `streams.cells.Item`.
    pub fn write(&self, out: &mut Writer) {
        let mut members = |size: usize| {
            out.map(size + 1);
            out.text("type");
            out.text(self.kind().name());
        };
        match *self {
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
            } => {
                members(10);
                out.member_text("pipeline", Some(pipeline));
                out.member_text("stage", Some(stage));
                out.member_text("currency", Some(currency));
                out.member_int("amount", amount);
                out.member_int("created_at", Some(created_at));
                out.member_int("entered_at", Some(entered_at));
                out.member_int("owned_since", Some(owned_since));
                out.member_int("touched_at", Some(touched_at));
                out.member_int("snoozed_until", snoozed_until);
                out.member_text("customer", customer);
            }
            Item::LostDeal {
                closed_at,
                pipeline,
                stage,
                reason,
                currency,
                amount,
            } => {
                members(6);
                out.member_int("closed_at", Some(closed_at));
                out.member_text("pipeline", Some(pipeline));
                out.member_text("stage", Some(stage));
                out.member_text("reason", Some(reason));
                out.member_text("currency", Some(currency));
                out.member_int("amount", amount);
            }
            Item::OpenLead {
                state,
                created_at,
                entered_at,
                first_touch_at,
                touched_at,
                channel,
            } => {
                members(6);
                out.member_text("state", Some(state));
                out.member_int("created_at", Some(created_at));
                out.member_int("entered_at", Some(entered_at));
                out.member_int("first_touch_at", first_touch_at);
                out.member_int("touched_at", Some(touched_at));
                out.member_text("channel", channel);
            }
            Item::Recording {
                at,
                url,
                deal_id,
                outcome,
                talk_ms,
                talk_ratio,
            } => {
                members(6);
                out.member_int("at", Some(at));
                out.member_text("url", Some(url));
                out.member_text("deal_id", deal_id);
                out.member_text("outcome", outcome);
                out.member_int("talk_ms", talk_ms);
                out.member_int("talk_ratio", talk_ratio);
            }
        }
    }

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
