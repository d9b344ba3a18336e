//! Calls and emails: `streams.entities.call`, `streams.entities.email`.

use crate::pack::Reader;
use crate::row::{last_places, last_set, owner_after, Head, Step};
use crate::sums::{count, Dimension, Figures, Item, Measure};

const REPLIED: usize = 1;

#[derive(Clone)]
pub struct CallStep<'a> {
    head: Head<'a>,
    direction: Option<&'a str>,
    outcome: Option<&'a str>,
    talk_ms: Option<i64>,
    cold: Option<bool>,
    url: Option<&'a str>,
    lead: Option<&'a str>,
    deal: Option<&'a str>,
    talk_ratio: Option<i64>,
}

impl<'a> Step<'a> for CallStep<'a> {
    const SIZE: usize = 14;
    const CODES: usize = 3;
    const RECEIVES: bool = false;

    fn read_members(head: Head<'a>, reader: &mut Reader<'a>) -> Option<Self> {
        let (direction, outcome) = (reader.maybe_text()?, reader.maybe_text()?);
        reader.maybe_int()?; // started_at
        Some(CallStep {
            head,
            direction,
            outcome,
            talk_ms: reader.maybe_int()?,
            cold: reader.maybe_bool()?,
            url: reader.maybe_text()?,
            lead: reader.maybe_text()?,
            deal: reader.maybe_text()?,
            talk_ratio: reader.maybe_int()?,
        })
    }

    fn head(&self) -> &Head<'a> {
        &self.head
    }

    fn set_raw(&mut self, raw: &'a [u8]) {
        self.head.raw = raw;
    }
}

#[derive(Clone)]
pub struct EmailStep<'a> {
    head: Head<'a>,
    cold: Option<bool>,
    lead: Option<&'a str>,
    deal: Option<&'a str>,
}

impl<'a> Step<'a> for EmailStep<'a> {
    const SIZE: usize = 9;
    const CODES: usize = 3;
    const RECEIVES: bool = false;

    fn read_members(head: Head<'a>, reader: &mut Reader<'a>) -> Option<Self> {
        let cold = reader.maybe_bool()?;
        reader.maybe_text()?; // template
        Some(EmailStep {
            head,
            cold,
            lead: reader.maybe_text()?,
            deal: reader.maybe_text()?,
        })
    }

    fn head(&self) -> &Head<'a> {
        &self.head
    }

    fn set_raw(&mut self, raw: &'a [u8]) {
        self.head.raw = raw;
    }
}

/// A step that may name a lead and a deal.
pub trait Touch<'a>: Step<'a> {
    fn lead(&self) -> Option<&'a str>;
    fn deal(&self) -> Option<&'a str>;
}

impl<'a> Touch<'a> for CallStep<'a> {
    fn lead(&self) -> Option<&'a str> {
        self.lead
    }

    fn deal(&self) -> Option<&'a str> {
        self.deal
    }
}

impl<'a> Touch<'a> for EmailStep<'a> {
    fn lead(&self) -> Option<&'a str> {
        self.lead
    }

    fn deal(&self) -> Option<&'a str> {
        self.deal
    }
}

/// When the entity touched what it names; `None` if it is no touch (any more).
pub fn touched_at<'a, S: Step<'a>>(history: &[S]) -> Option<i64> {
    let [said, _, deleted] = last_places::<S, 3>(history);
    if said > deleted {
        said.map(|place| history[place].head().at)
    } else {
        None
    }
}

pub fn call_figures<'a>(history: &[CallStep<'a>]) -> Figures<'a> {
    use Dimension::{Int, Text};
    let mut figures = Figures::default();
    let [completed, recorded, deleted] = last_places::<_, 3>(history);
    if deleted > completed {
        return figures;
    }
    let Some(place) = completed.or(recorded) else {
        return figures;
    };
    let (rep, at) = (owner_after(history, place), history[place].head.at);
    let outcome = last_set(history, |step| step.outcome);
    let talk_ms = last_set(history, |step| step.talk_ms);
    if completed.is_some() {
        let direction = last_set(history, |step| step.direction)
            .filter(|text| !text.is_empty())
            .unwrap_or("outbound");
        let cold = i64::from(last_set(history, |step| step.cold).unwrap_or(false));
        let call = Measure::of([Text("call"), Text(direction), Int(cold), Text(outcome.unwrap_or(""))]);
        count(&mut figures.sums, rep, at, call, 1);
        if let Some(talk) = talk_ms.filter(|talk| *talk != 0) {
            let measure = Measure::of([Text("talk_ms"), Text(direction)]);
            count(&mut figures.sums, rep, at, measure, talk);
        }
    }
    if let Some(url) = last_set(history, |step| step.url).filter(|url| !url.is_empty()) {
        let item = Item::Recording {
            at,
            url,
            deal_id: last_set(history, |step| step.deal),
            outcome,
            talk_ms,
            talk_ratio: last_set(history, |step| step.talk_ratio),
        };
        figures.item = Some((rep, item));
    }
    figures
}

pub fn email_figures<'a>(history: &[EmailStep<'a>]) -> Figures<'a> {
    use Dimension::{Int, Text};
    let mut figures = Figures::default();
    let [sent, replied, deleted] = last_places::<_, 3>(history);
    if deleted > sent {
        return figures;
    }
    if let Some(place) = sent {
        let cold = i64::from(last_set(history, |step| step.cold).unwrap_or(false));
        let (rep, at) = (owner_after(history, place), history[place].head.at);
        count(&mut figures.sums, rep, at, Measure::of([Text("email"), Int(cold)]), 1);
    }
    if replied.is_some() {
        if let Some(place) = history.iter().position(|step| step.head.code == REPLIED) {
            let (rep, at) = (owner_after(history, place), history[place].head.at);
            count(&mut figures.sums, rep, at, Measure::of([Text("reply")]), 1);
        }
    }
    figures
}
