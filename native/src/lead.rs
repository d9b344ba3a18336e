//! Leads: `streams.entities.lead`.

use crate::calendar::Calendar;
use crate::pack::Reader;
use crate::row::{earliest_win, first_owner, last_places, last_set, touches, Head, Received, Step};
use crate::sums::{bin_of, count, leave, Dimension::Text, Figures, Item, Left, Measure, Sums};

const CODES: usize = 7;
const LEAD_PIPELINE: &str = "@leads";
const STATES: [&str; 3] = ["new", "qualified", "accepted"];

#[derive(Clone)]
pub struct LeadStep<'a> {
    head: Head<'a>,
    channel: Option<&'a str>,
}

impl<'a> Step<'a> for LeadStep<'a> {
    const SIZE: usize = 6;
    const CODES: usize = CODES;
    const RECEIVES: bool = true;

    fn read_members(head: Head<'a>, reader: &mut Reader<'a>) -> Option<Self> {
        let mut channel = None;
        if !reader.nil()? {
            reader.array_of(4)?;
            channel = reader.maybe_text()?;
            for _ in 0..3 {
                reader.maybe_text()?; // campaign, deal_id, reason
            }
        }
        Some(LeadStep { head, channel })
    }

    fn head(&self) -> &Head<'a> {
        &self.head
    }

    fn set_raw(&mut self, raw: &'a [u8]) {
        self.head.raw = raw;
    }
}

struct Ending<'a> {
    how: &'static str,
    at: i64,
    /// So many steps come before the end.
    taken: usize,
    owner: &'a str,
    owner_before: &'a str,
}

struct Course<'a, 'h> {
    history: &'h [LeadStep<'a>],
    first_owner: &'a str,
    owners: Vec<&'a str>,
    qualified: Option<usize>,
    accepted: Option<usize>,
    ending: Option<Ending<'a>>,
}

impl<'a, 'h> Course<'a, 'h> {
    /// `None`: the lead is deleted.
    fn of(history: &'h [LeadStep<'a>], links: &[Received<'_>]) -> Option<Self> {
        let [created, _, qualified, accepted, converted, out, deleted] = last_places::<_, CODES>(history);
        if deleted > created {
            return None;
        }
        let first_owner = first_owner(history);
        let mut owner = first_owner;
        let owners = history
            .iter()
            .map(|step| {
                owner = step.head.rep.filter(|rep| !rep.is_empty()).unwrap_or(owner);
                owner
            })
            .collect();
        let mut course = Course {
            history,
            first_owner,
            owners,
            qualified,
            accepted,
            ending: None,
        };
        course.ending = course.ended(converted, out, earliest_win(links));
        Some(course)
    }

    fn at(&self, place: usize) -> i64 {
        self.history[place].head.at
    }

    fn owner_before(&self, place: usize) -> &'a str {
        match place {
            0 => self.first_owner,
            _ => self.owners[place - 1],
        }
    }

    fn steps_until(&self, instant: i64) -> usize {
        self.history.partition_point(|step| step.head.at <= instant)
    }

    fn owner_at(&self, instant: i64) -> &'a str {
        self.owner_before(self.steps_until(instant))
    }

    /// The state that the steps of a lead without an end leave it in, and since when.
    fn position(&self) -> (&'static str, i64) {
        let (mut state, mut since) = (0, self.at(0));
        for step in self.history {
            let to = state_after(step, state);
            if to != state {
                (state, since) = (to, step.head.at);
            }
        }
        (STATES[state], since)
    }

    fn ended(&self, converted: Option<usize>, out: Option<usize>, won_at: Option<i64>) -> Option<Ending<'a>> {
        let is_out = out > converted.max(self.qualified).max(self.accepted);
        if let Some(place) = converted {
            if won_at.is_none_or(|won_at| self.at(place) <= won_at) && !(is_out && won_at.is_none()) {
                return Some(self.ended_at(place, "won"));
            }
        }
        if let Some(at) = won_at {
            let owner = self.owner_at(at);
            return Some(Ending {
                how: "won",
                at,
                taken: self.steps_until(at),
                owner,
                owner_before: owner,
            });
        }
        out.filter(|_| is_out).map(|place| self.ended_at(place, "lost"))
    }

    fn ended_at(&self, place: usize, how: &'static str) -> Ending<'a> {
        Ending {
            how,
            at: self.at(place),
            taken: place,
            owner: self.owners[place],
            owner_before: self.owner_before(place),
        }
    }
}

/// Milestones, cohort, flow and first touch; the open lead as an item.
pub fn figures<'a>(history: &[LeadStep<'a>], links: &[Received<'_>], calendar: &Calendar) -> Result<Figures<'a>, Left> {
    let mut figures = Figures::default();
    if history.is_empty() {
        return Ok(figures);
    }
    let Some(course) = Course::of(history, links) else {
        return Ok(figures);
    };
    count_milestones(&mut figures.sums, &course);
    let now = count_flow(&mut figures.sums, &course, calendar)?;
    touched(&mut figures, &course, links, now, calendar)?;
    Ok(figures)
}

/// What it changes that others tell something else, if none of it is a win. `None`: `figures` has to tell.
pub fn relinked<'a>(
    history: &[LeadStep<'a>],
    links_before: &[Received<'_>],
    links: &[Received<'_>],
    calendar: &Calendar,
) -> Result<Option<(Figures<'a>, Figures<'a>)>, Left> {
    if earliest_win(links_before).is_some() || earliest_win(links).is_some() {
        return Ok(None);
    }
    let (mut before, mut after) = (Figures::default(), Figures::default());
    if history.is_empty() {
        return Ok(Some((before, after)));
    }
    if let Some(course) = Course::of(history, links) {
        let now = course.position();
        touched(&mut before, &course, links_before, now, calendar)?;
        touched(&mut after, &course, links, now, calendar)?;
    }
    Ok(Some((before, after)))
}

/// The first touch, and the open lead in the state it is in `now`, and since when.
fn touched<'a>(
    figures: &mut Figures<'a>,
    course: &Course<'a, '_>,
    links: &[Received<'_>],
    (state, entered_at): (&'static str, i64),
    calendar: &Calendar,
) -> Result<(), Left> {
    let (history, created_at) = (course.history, course.at(0));
    let first_touch_at = touches(links).filter(|at| *at >= created_at).min();
    if let Some(at) = first_touch_at {
        let owner = course.owner_at(at);
        let working = calendar.working_us(created_at, at)?;
        let bin = bin_of(calendar, working)?;
        count(&mut figures.sums, owner, at, Measure::of([Text("touch"), bin]), 1);
        if working != 0 {
            count(&mut figures.sums, owner, at, Measure::of([Text("touch_us")]), working);
        }
    }
    if course.ending.is_none() {
        let last = history.len() - 1;
        let item = Item::OpenLead {
            state,
            created_at,
            entered_at,
            first_touch_at,
            touched_at: touches(links).fold(course.at(last), i64::max),
            channel: last_set(history, |step| step.channel),
        };
        figures.item = Some((course.owners[last], item));
    }
    Ok(())
}

fn count_milestones<'a>(sums: &mut Sums<'a>, course: &Course<'a, '_>) {
    let mut tell = |rep: &'a str, at: i64, name: &'static str, what: &'static str| {
        count(sums, rep, at, Measure::of([Text(name), Text(what)]), 1);
    };
    tell(course.owners[0], course.at(0), "lead", "created");
    if let Some(place) = course.accepted {
        tell(course.owners[place], course.at(place), "lead", "accepted");
    }
    let is_converted = course.ending.as_ref().is_some_and(|ending| ending.how == "won");
    if let Some(ending) = &course.ending {
        let what = if is_converted { "converted" } else { "disqualified" };
        tell(ending.owner, ending.at, "lead", what);
    }
    let Some(place) = course.qualified else {
        return;
    };
    let (owner, at) = (course.owners[place], course.at(place));
    tell(owner, at, "lead", "qualified");
    if course.accepted.is_some() {
        tell(owner, at, "cohort", "accepted");
    }
    if is_converted {
        tell(owner, at, "cohort", "converted");
    }
}

/// The sojourns; the state the lead is in at the end of them, and since when.
fn count_flow<'a>(
    sums: &mut Sums<'a>,
    course: &Course<'a, '_>,
    calendar: &Calendar,
) -> Result<(&'static str, i64), Left> {
    let (mut state, mut since) = (0, course.at(0));
    if course.ending.as_ref().is_some_and(|ending| ending.at < since) {
        return Ok((STATES[state], since));
    }
    let entered = |state: usize| Measure::of([Text("entered"), Text(LEAD_PIPELINE), Text(STATES[state])]);
    count(sums, course.owners[0], since, entered(state), 1);
    let taken = course
        .ending
        .as_ref()
        .map_or(course.history.len(), |ending| ending.taken);
    for (place, step) in course.history[..taken].iter().enumerate() {
        let to = state_after(step, state);
        if to == state {
            continue;
        }
        let how = if to > state { "forward" } else { "back" };
        let (at, who) = (step.head.at, (course.owner_before(place), LEAD_PIPELINE, STATES[state]));
        leave(sums, who, how, (since, at), calendar)?;
        count(sums, course.owners[place], at, entered(to), 1);
        (state, since) = (to, at);
    }
    if let Some(ending) = &course.ending {
        let who = (ending.owner_before, LEAD_PIPELINE, STATES[state]);
        leave(sums, who, ending.how, (since, ending.at), calendar)?;
    }
    Ok((STATES[state], since))
}

/// The state that a step leaves a lead in, by its place in `STATES`.
fn state_after(step: &LeadStep<'_>, state: usize) -> usize {
    match step.head.code {
        2 => 1,
        3 => 2,
        _ => state,
    }
}
