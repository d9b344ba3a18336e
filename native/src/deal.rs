//! Deals: `streams.entities.deal` and `streams.entities.walk`.

use std::collections::{BTreeSet, HashMap};

use crate::calendar::Calendar;
use crate::pack::Reader;
use crate::row::{first_owner, touches, Head, Received, Step};
use crate::sums::{bin_of, count, leave, Dimension::Text, Figures, Item, Left, Measure, Sums};

const CREATED: usize = 0;
const WON: usize = 4;
const LOST: usize = 5;
const REOPENED: usize = 6;
const DELETED: usize = 7;

/// The place of each stage of each pipeline.
pub type StageOrder = HashMap<String, HashMap<String, usize>>;

#[derive(Clone)]
struct Rest<'a> {
    amount: Option<i64>,
    currency: Option<&'a str>,
    lead: Option<&'a str>,
    customer: Option<&'a str>,
    lost_reason: Option<&'a str>,
    snoozed_until: Option<i64>,
}

#[derive(Clone)]
pub struct DealStep<'a> {
    head: Head<'a>,
    pipeline: Option<&'a str>,
    stage: Option<&'a str>,
    rest: Option<Rest<'a>>,
}

impl<'a> Step<'a> for DealStep<'a> {
    const SIZE: usize = 8;
    const CODES: usize = 8;
    const RECEIVES: bool = true;

    fn read_members(head: Head<'a>, reader: &mut Reader<'a>) -> Option<Self> {
        let (pipeline, stage) = (reader.maybe_text()?, reader.maybe_text()?);
        let mut rest = None;
        if !reader.nil()? {
            reader.array_of(8)?;
            let (amount, currency) = (reader.maybe_int()?, reader.maybe_text()?);
            reader.maybe_text()?; // expected_close
            rest = Some(Rest {
                amount,
                currency,
                lead: reader.maybe_text()?,
                customer: reader.maybe_text()?,
                lost_reason: reader.maybe_text()?,
                snoozed_until: reader.maybe_int()?,
            });
            reader.maybe_text()?; // snooze_reason
        }
        Some(DealStep {
            head,
            pipeline,
            stage,
            rest,
        })
    }

    fn head(&self) -> &Head<'a> {
        &self.head
    }

    fn set_raw(&mut self, raw: &'a [u8]) {
        self.head.raw = raw;
    }
}

impl<'a> DealStep<'a> {
    fn lead(&self) -> Option<&'a str> {
        self.rest.as_ref().and_then(|rest| rest.lead)
    }
}

#[derive(Clone, Copy)]
struct Close<'a> {
    at: i64,
    rep: &'a str,
    pipeline: &'a str,
    stage: &'a str,
    is_won: bool,
}

/// What the organisation has settled.
#[derive(Clone)]
pub struct Rules {
    pub order: StageOrder,
    pub currency: String,
    pub calendar: Calendar,
}

struct Walk<'a> {
    calendar: &'a Calendar,
    order: &'a StageOrder,
    counts: bool,
    owner: &'a str,
    pipeline: &'a str,
    stage: &'a str,
    is_open: bool,
    deleted: bool,
    created_at: i64,
    entered_at: i64,
    owned_since: i64,
    close: Option<Close<'a>>,
    amount: Option<i64>,
    currency: &'a str,
    customer: Option<&'a str>,
    lost_reason: &'a str,
    snoozed_until: Option<i64>,
    sums: Sums<'a>,
    advances: Vec<(&'a str, i64)>,
}

/// A text that says something.
fn said(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}

impl<'a> Walk<'a> {
    fn new(created_at: i64, owner: &'a str, rules: &'a Rules) -> Self {
        Walk {
            calendar: &rules.calendar,
            order: &rules.order,
            counts: true,
            owner,
            pipeline: "default",
            stage: "",
            is_open: true,
            deleted: false,
            created_at,
            entered_at: created_at,
            owned_since: created_at,
            close: None,
            amount: None,
            currency: &rules.currency,
            customer: None,
            lost_reason: "",
            snoozed_until: None,
            sums: Vec::new(),
            advances: Vec::new(),
        }
    }

    fn take(&mut self, step: &DealStep<'a>) -> Result<(), Left> {
        let at = step.head.at;
        let before = self.owner;
        if let Some(rep) = step.head.rep {
            if rep != before {
                self.owner = rep;
                self.owned_since = at;
            }
        }
        if let Some(rest) = &step.rest {
            self.note(rest);
        }
        let (pipeline, stage) = (said(step.pipeline), said(step.stage));
        let code = step.head.code;
        if code == WON || code == LOST {
            return self.take_close(at, before, pipeline, stage, code == WON);
        }
        if stage.is_some() || pipeline.is_some() {
            self.place(
                at,
                before,
                pipeline.unwrap_or(self.pipeline),
                stage.unwrap_or(self.stage),
            )?;
        }
        match code {
            REOPENED => self.reopen(at),
            CREATED | DELETED => self.deleted = code == DELETED,
            _ => {}
        }
        Ok(())
    }

    fn take_close(
        &mut self,
        at: i64,
        before: &'a str,
        pipeline: Option<&'a str>,
        mut stage: Option<&'a str>,
        is_won: bool,
    ) -> Result<(), Left> {
        let mut label = None;
        if let Some(name) = stage {
            let is_ordered = self
                .order
                .get(pipeline.unwrap_or(self.pipeline))
                .is_some_and(|stages| stages.contains_key(name));
            if !is_ordered {
                label = stage.take();
            }
        }
        if stage.is_some() || pipeline.is_some() {
            self.place(
                at,
                before,
                pipeline.unwrap_or(self.pipeline),
                stage.unwrap_or(self.stage),
            )?;
        }
        if self.is_open {
            if !self.stage.is_empty() {
                self.leave(at, before, if is_won { "won" } else { "lost" })?;
            }
            if is_won {
                self.advance(at, self.pipeline);
            }
            self.is_open = false;
        }
        if let Some(label) = label {
            if self.stage.is_empty() {
                self.stage = label;
            }
        }
        self.close = Some(Close {
            at,
            rep: self.owner,
            pipeline: self.pipeline,
            stage: self.stage,
            is_won,
        });
        Ok(())
    }

    fn note(&mut self, rest: &Rest<'a>) {
        self.amount = rest.amount.or(self.amount);
        self.currency = rest.currency.unwrap_or(self.currency);
        self.customer = rest.customer.or(self.customer);
        self.lost_reason = rest.lost_reason.unwrap_or(self.lost_reason);
        self.snoozed_until = rest.snoozed_until.or(self.snoozed_until);
    }

    fn place(&mut self, at: i64, before: &'a str, pipeline: &'a str, stage: &'a str) -> Result<(), Left> {
        if pipeline == self.pipeline && stage == self.stage {
            return Ok(());
        }
        if self.is_open && !stage.is_empty() {
            if !self.stage.is_empty() {
                let how = self.direction(pipeline, stage);
                self.leave(at, before, how)?;
                if how == "forward" {
                    self.advance(at, pipeline);
                }
            }
            self.entered_at = at;
            self.enter(at, pipeline, stage);
        }
        self.pipeline = pipeline;
        self.stage = stage;
        Ok(())
    }

    fn direction(&self, pipeline: &str, stage: &str) -> &'static str {
        if pipeline != self.pipeline {
            return "other";
        }
        let places = self
            .order
            .get(pipeline)
            .map(|order| (order.get(self.stage), order.get(stage)));
        match places {
            Some((Some(here), Some(there))) => {
                if there > here {
                    "forward"
                } else {
                    "back"
                }
            }
            _ => "other",
        }
    }

    fn reopen(&mut self, at: i64) {
        if self.is_open {
            return;
        }
        self.is_open = true;
        self.close = None;
        self.entered_at = at;
        self.owned_since = at;
        if !self.stage.is_empty() {
            self.enter(at, self.pipeline, self.stage);
        }
    }

    fn enter(&mut self, at: i64, pipeline: &'a str, stage: &'a str) {
        if self.counts {
            let measure = Measure::of([Text("entered"), Text(pipeline), Text(stage)]);
            count(&mut self.sums, self.owner, at, measure, 1);
        }
    }

    fn leave(&mut self, at: i64, rep: &'a str, how: &'static str) -> Result<(), Left> {
        if self.counts {
            let who = (rep, self.pipeline, self.stage);
            leave(&mut self.sums, who, how, (self.entered_at, at), self.calendar)?;
        }
        Ok(())
    }

    fn advance(&mut self, at: i64, pipeline: &'a str) {
        match self.advances.iter_mut().find(|(rep, _)| *rep == self.owner) {
            Some((_, latest)) => *latest = at,
            None => self.advances.push((self.owner, at)),
        }
        if self.counts {
            let measure = Measure::of([Text("advance"), Text(pipeline)]);
            count(&mut self.sums, self.owner, at, measure, 1);
        }
    }

    /// The deal as it stands: its close counted into `sums`, its item, its advances.
    fn figures(&self, sums: Sums<'a>, last_at: i64, links: &[Received<'_>]) -> Result<Figures<'a>, Left> {
        let mut figures = Figures {
            sums,
            item: None,
            advances: self.advances.clone(),
        };
        match self.close {
            None => figures.item = Some((self.owner, self.open_deal(last_at, links))),
            Some(close) if close.is_won => self.count_won(&mut figures.sums, close)?,
            Some(close) => {
                self.count_lost(&mut figures.sums, close);
                let item = Item::LostDeal {
                    closed_at: close.at,
                    pipeline: close.pipeline,
                    stage: close.stage,
                    reason: self.lost_reason,
                    currency: self.currency,
                    amount: self.amount,
                };
                figures.item = Some((close.rep, item));
            }
        }
        Ok(figures)
    }

    fn open_deal(&self, last_at: i64, links: &[Received<'_>]) -> Item<'a> {
        Item::OpenDeal {
            pipeline: self.pipeline,
            stage: self.stage,
            currency: self.currency,
            amount: self.amount,
            created_at: self.created_at,
            entered_at: self.entered_at,
            owned_since: self.owned_since,
            touched_at: touches(links).fold(last_at, i64::max),
            snoozed_until: self.snoozed_until,
            customer: self.customer,
        }
    }

    fn count_won(&self, sums: &mut Sums<'a>, close: Close<'a>) -> Result<(), Left> {
        let (rep, at) = (close.rep, close.at);
        let (pipeline, currency) = (Text(close.pipeline), Text(self.currency));
        count(sums, rep, at, Measure::of_close([Text("won"), pipeline, currency]), 1);
        if let Some(amount) = self.amount.filter(|amount| *amount != 0) {
            count(
                sums,
                rep,
                at,
                Measure::of_close([Text("won_amount"), pipeline, currency]),
                amount,
            );
        }
        let cycle = self.calendar.working_us(self.created_at, at)?;
        let bin = bin_of(self.calendar, cycle)?;
        count(sums, rep, at, Measure::of([Text("cycle"), bin]), 1);
        if cycle != 0 {
            count(sums, rep, at, Measure::of([Text("cycle_us")]), cycle);
        }
        Ok(())
    }

    fn count_lost(&self, sums: &mut Sums<'a>, close: Close<'a>) {
        let measure = |name| {
            let (pipeline, stage) = (Text(close.pipeline), Text(close.stage));
            Measure::of_close([Text(name), pipeline, Text(self.currency), stage, Text(self.lost_reason)])
        };
        count(sums, close.rep, close.at, measure("lost"), 1);
        if let Some(amount) = self.amount.filter(|amount| *amount != 0) {
            count(sums, close.rep, close.at, measure("lost_amount"), amount);
        }
    }
}

/// Sums of the walk, the standing close, and the open or lost deal as an item.
pub fn figures<'a>(history: &[DealStep<'a>], links: &[Received<'_>], rules: &'a Rules) -> Result<Figures<'a>, Left> {
    let (Some(first), Some(last)) = (history.first(), history.last()) else {
        return Ok(Figures::default());
    };
    let created_at = first.head.at;
    let mut walk = Walk::new(created_at, first_owner(history), rules);
    walk.take(first)?;
    let measure = Measure::of([Text("created"), Text(walk.pipeline)]);
    count(&mut walk.sums, walk.owner, created_at, measure, 1);
    for step in &history[1..] {
        walk.take(step)?;
    }
    if walk.deleted {
        return Ok(Figures::default());
    }
    let sums = std::mem::take(&mut walk.sums);
    walk.figures(sums, last.head.at, links)
}

/// What the steps from `known` > 0 on change, in one walk: as of `DealFold.difference`. `None`: `figures` has to tell.
pub fn difference<'a>(
    history: &[DealStep<'a>],
    known: usize,
    links: &[Received<'_>],
    rules: &'a Rules,
) -> Result<Option<(Figures<'a>, Figures<'a>)>, Left> {
    let owner = first_owner(history);
    let mut walk = Walk::new(history[0].head.at, owner, rules);
    walk.counts = false;
    for step in &history[..known] {
        walk.take(step)?;
    }
    if walk.deleted || (history[0].head.rep.is_none() && owner != first_owner(&history[..known])) {
        return Ok(None);
    }
    let before = walk.figures(Vec::new(), history[known - 1].head.at, links)?;
    walk.counts = true;
    for step in &history[known..] {
        walk.take(step)?;
    }
    if walk.deleted {
        return Ok(None);
    }
    let sums = std::mem::take(&mut walk.sums);
    let after = walk.figures(sums, history[history.len() - 1].head.at, links)?;
    Ok(Some((before, after)))
}

/// What it changes that others tell something else: when an open deal was last touched.
pub fn relinked<'a>(
    history: &[DealStep<'a>],
    links_before: &[Received<'_>],
    links: &[Received<'_>],
    rules: &'a Rules,
) -> Result<(Figures<'a>, Figures<'a>), Left> {
    let nothing = (Figures::default(), Figures::default());
    let (Some(first), Some(last)) = (history.first(), history.last()) else {
        return Ok(nothing);
    };
    let last_at = last.head.at;
    if touches(links_before).fold(last_at, i64::max) == touches(links).fold(last_at, i64::max) {
        return Ok(nothing);
    }
    let mut walk = Walk::new(first.head.at, first_owner(history), rules);
    walk.counts = false;
    for step in history {
        walk.take(step)?;
    }
    if walk.deleted || walk.close.is_some() {
        return Ok(nothing);
    }
    Ok((
        walk.figures(Vec::new(), last_at, links_before)?,
        walk.figures(Vec::new(), last_at, links)?,
    ))
}

/// The lead the deal belongs to now, and when the deal was won if it stands won.
fn won_for<'a>(history: &[DealStep<'a>]) -> (Option<&'a str>, Option<i64>) {
    let lead = history
        .iter()
        .rev()
        .find_map(DealStep::lead)
        .filter(|lead| !lead.is_empty());
    let closed = history
        .iter()
        .rev()
        .find(|step| matches!(step.head.code, WON | LOST | REOPENED))
        .filter(|step| step.head.code == WON);
    let is_deleted = history
        .iter()
        .rev()
        .find(|step| matches!(step.head.code, CREATED | DELETED))
        .is_some_and(|step| step.head.code == DELETED);
    (lead, closed.filter(|_| !is_deleted).map(|step| step.head.at))
}

/// What a deal tells its leads: their ids in order, each with when the deal was won, if that is so.
pub fn facts<'a>(history: &[DealStep<'a>]) -> Vec<(&'a str, Option<i64>)> {
    let named: BTreeSet<&str> = history.iter().filter_map(DealStep::lead).collect();
    if named.is_empty() {
        return Vec::new();
    }
    let (present, won_at) = won_for(history);
    named
        .into_iter()
        .map(|lead| (lead, if Some(lead) == present { won_at } else { None }))
        .collect()
}
