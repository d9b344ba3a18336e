//! One structured event to the step that its entity keeps of it: what `schemas.hot` and the folds' `_step` do.
//!
//! `None`: it is for `schemas.codec` to say what it is. What is taken here is what that would have made of it.

use std::borrow::Cow;

use crate::calendar::{DAY_US, MINUTE_US};
use crate::json::Json;
use crate::pack::Writer;

pub const ID_CHARS_MAX: usize = 256;
const SOURCE_CHARS_MAX: usize = 1_024;
const TEXT_CHARS_MAX: usize = 1_024;
const URL_CHARS_MAX: usize = 8_192;
const TALK_SECONDS_MAX: i64 = 7 * 86_400;
const EASY_DIGITS_MAX: usize = 13;
const FRACTION_DIGITS: usize = 4;
const RATIO_DIGITS: usize = 4;
/// Years that are read: inside those of which a calendar knows working time.
const YEARS: std::ops::RangeInclusive<i64> = 1_902..=2_197;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    Lead,
    Deal,
    Call,
    Email,
}

impl Kind {
    pub fn named(name: &str) -> Option<Kind> {
        match name {
            "lead" => Some(Kind::Lead),
            "deal" => Some(Kind::Deal),
            "call" => Some(Kind::Call),
            "email" => Some(Kind::Email),
            _ => None,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Kind::Lead => "lead",
            Kind::Deal => "deal",
            Kind::Call => "call",
            Kind::Email => "email",
        }
    }
}

/// What the reader has to know of the organisation and of this moment.
pub struct Reading<'c> {
    pub kind: Kind,
    /// The event types by their code in a step.
    pub codes: &'c [String],
    /// Of ISO 4217, in order.
    pub currencies: &'c [String],
    pub future_us_max: i64,
    pub past_us_min: i64,
    pub size_max: usize,
}

pub struct Event<'a> {
    pub subject: &'a str,
    pub at: i64,
}

type Text<'a> = Option<Cow<'a, str>>;

#[derive(Default)]
struct Members<'a> {
    rep_id: Option<&'a str>,
    lead_id: Option<&'a str>,
    deal_id: Option<&'a str>,
    channel: Text<'a>,
    campaign: Text<'a>,
    reason: Text<'a>,
    pipeline: Text<'a>,
    stage: Text<'a>,
    amount: Option<i64>,
    currency: Option<&'a str>,
    expected_close: Text<'a>,
    customer: Text<'a>,
    lost_reason: Text<'a>,
    snooze_until: Option<i64>,
    snooze_reason: Text<'a>,
    direction: Option<&'a str>,
    outcome: Option<&'a str>,
    started_at: Option<i64>,
    talk_ms: Option<i64>,
    cold: Option<bool>,
    recording_url: Text<'a>,
    talk_ratio: Option<i64>,
    template: Text<'a>,
}

/// Read one event and write its step.
pub fn read<'a>(value: &'a str, reading: &Reading<'_>, step: &mut Writer) -> Option<Event<'a>> {
    if value.len() > reading.size_max {
        return None;
    }
    let mut json = Json::new(value);
    json.expect(b'{')?;
    let (mut id, mut source, mut subject, mut at, mut code) = (None, None, None, None, None);
    let mut is_version_right = false;
    let mut data: Option<Members<'a>> = None;
    let mut seen = Seen::default();
    let mut is_first = true;
    while let Some(name) = json.member(&mut is_first)? {
        match name {
            "specversion" => {
                seen.once(0)?;
                is_version_right = json.plain()? == "1.0";
            }
            "id" => {
                seen.once(1)?;
                id = Some(identifier(&mut json, ID_CHARS_MAX)?);
            }
            "source" => {
                seen.once(2)?;
                source = Some(identifier(&mut json, SOURCE_CHARS_MAX)?);
            }
            "subject" => {
                seen.once(3)?;
                subject = Some(identifier(&mut json, ID_CHARS_MAX)?);
            }
            "time" => {
                seen.once(4)?;
                at = Some(instant(json.plain()?)?);
            }
            "type" => {
                seen.once(5)?;
                let name = json.plain()?;
                code = Some(reading.codes.iter().position(|known| known == name)?);
            }
            "data" => {
                seen.once(6)?;
                if !json.null()? {
                    data = Some(members(&mut json, reading)?);
                }
            }
            "data_base64" => return None,
            _ => json.skip()?,
        }
    }
    if !json.is_done() || !is_version_right {
        return None;
    }
    let (id, source, subject, at, code) = (id?, source?, subject?, at?, code?);
    if at > reading.future_us_max || at < reading.past_us_min {
        return None;
    }
    let data = data.unwrap_or_default();
    let head = (at, source, id, code as i64);
    match reading.kind {
        Kind::Deal => write_deal(step, head, &data),
        Kind::Lead => write_lead(step, head, &data),
        Kind::Call => write_call(step, head, &data),
        Kind::Email => write_email(step, head, &data),
    }
    Some(Event { subject, at })
}

type Head<'a> = (i64, &'a str, &'a str, i64);

fn write_head(step: &mut Writer, size: usize, (at, source, id, code): Head<'_>) {
    step.array(size);
    step.int(at);
    step.text(source);
    step.text(id);
    step.int(code);
}

fn write_deal(step: &mut Writer, head: Head<'_>, data: &Members<'_>) {
    write_head(step, 8, head);
    step.maybe_text(data.rep_id);
    step.maybe_text(data.pipeline.as_deref());
    step.maybe_text(data.stage.as_deref());
    let is_nothing = data.amount.is_none()
        && data.currency.is_none()
        && data.expected_close.is_none()
        && data.lead_id.is_none()
        && data.customer.is_none()
        && data.lost_reason.is_none()
        && data.snooze_until.is_none()
        && data.snooze_reason.is_none();
    if is_nothing {
        return step.nil();
    }
    step.array(8);
    step.maybe_int(data.amount);
    step.maybe_text(data.currency);
    step.maybe_text(data.expected_close.as_deref());
    step.maybe_text(data.lead_id);
    step.maybe_text(data.customer.as_deref());
    step.maybe_text(data.lost_reason.as_deref());
    step.maybe_int(data.snooze_until);
    step.maybe_text(data.snooze_reason.as_deref());
}

fn write_lead(step: &mut Writer, head: Head<'_>, data: &Members<'_>) {
    write_head(step, 6, head);
    step.maybe_text(data.rep_id);
    let is_nothing =
        data.channel.is_none() && data.campaign.is_none() && data.deal_id.is_none() && data.reason.is_none();
    if is_nothing {
        return step.nil();
    }
    step.array(4);
    step.maybe_text(data.channel.as_deref());
    step.maybe_text(data.campaign.as_deref());
    step.maybe_text(data.deal_id);
    step.maybe_text(data.reason.as_deref());
}

fn write_call(step: &mut Writer, head: Head<'_>, data: &Members<'_>) {
    write_head(step, 14, head);
    step.maybe_text(data.rep_id);
    step.maybe_text(data.direction);
    step.maybe_text(data.outcome);
    step.maybe_int(data.started_at);
    step.maybe_int(data.talk_ms);
    step.maybe_bool(data.cold);
    step.maybe_text(data.recording_url.as_deref());
    step.maybe_text(data.lead_id);
    step.maybe_text(data.deal_id);
    step.maybe_int(data.talk_ratio);
}

fn write_email(step: &mut Writer, head: Head<'_>, data: &Members<'_>) {
    write_head(step, 9, head);
    step.maybe_text(data.rep_id);
    step.maybe_bool(data.cold);
    step.maybe_text(data.template.as_deref());
    step.maybe_text(data.lead_id);
    step.maybe_text(data.deal_id);
}

/// Which members came already: what comes twice is left to others.
#[derive(Default)]
struct Seen(u32);

impl Seen {
    fn once(&mut self, number: u32) -> Option<()> {
        let bit = 1 << number;
        let is_new = self.0 & bit == 0;
        self.0 |= bit;
        is_new.then_some(())
    }
}

fn members<'a>(json: &mut Json<'a>, reading: &Reading<'_>) -> Option<Members<'a>> {
    json.expect(b'{')?;
    let mut data = Members::default();
    let mut seen = Seen::default();
    let mut is_first = true;
    while let Some(name) = json.member(&mut is_first)? {
        let number = number_of(reading.kind, name);
        if number == UNKNOWN {
            json.skip()?;
            continue;
        }
        seen.once(number)?;
        if json.null()? {
            continue;
        }
        match number {
            0 => data.rep_id = Some(identifier(json, ID_CHARS_MAX)?),
            1 => data.lead_id = Some(identifier(json, ID_CHARS_MAX)?),
            2 => data.deal_id = Some(identifier(json, ID_CHARS_MAX)?),
            3 => data.channel = Some(text(json, TEXT_CHARS_MAX)?),
            4 => data.campaign = Some(text(json, TEXT_CHARS_MAX)?),
            5 => data.reason = Some(text(json, TEXT_CHARS_MAX)?),
            6 => {
                let pipeline = text(json, TEXT_CHARS_MAX)?;
                if pipeline.starts_with('@') {
                    return None;
                }
                data.pipeline = Some(pipeline);
            }
            7 => data.stage = Some(text(json, TEXT_CHARS_MAX)?),
            8 => data.amount = Some(amount(json)?),
            9 => {
                let currency = json.plain()?;
                let found = reading
                    .currencies
                    .binary_search_by(|known| known.as_str().cmp(currency));
                found.ok()?;
                data.currency = Some(currency);
            }
            10 => data.expected_close = Some(text(json, TEXT_CHARS_MAX)?),
            11 => data.customer = Some(text(json, TEXT_CHARS_MAX)?),
            12 => data.lost_reason = Some(text(json, TEXT_CHARS_MAX)?),
            13 => data.snooze_until = Some(instant(json.plain()?)?),
            14 => data.snooze_reason = Some(text(json, TEXT_CHARS_MAX)?),
            15 => data.direction = Some(one_of(json.plain()?, &["outbound", "inbound"])?),
            16 => {
                let known = &[
                    "connected",
                    "voicemail",
                    "voicemail_drop",
                    "no_answer",
                    "busy",
                    "failed",
                ];
                data.outcome = Some(one_of(json.plain()?, known)?);
            }
            17 => data.started_at = Some(instant(json.plain()?)?),
            18 => data.talk_ms = Some(talk_ms(json)?),
            19 => data.cold = Some(json.bool()?),
            20 => {
                let url = text(json, URL_CHARS_MAX)?;
                if url.contains('@') {
                    return None;
                }
                data.recording_url = Some(url);
            }
            21 => data.talk_ratio = Some(talk_ratio(json)?),
            _ => data.template = Some(text(json, TEXT_CHARS_MAX)?),
        }
    }
    Some(data)
}

const UNKNOWN: u32 = u32::MAX;

/// The members of each kind's data as `schemas.events` lists them. With any other list this crate is not used.
pub const MEMBERS: [(&str, &[&str]); 4] = [
    ("lead", &["rep_id", "channel", "campaign", "deal_id", "reason"]),
    (
        "deal",
        &[
            "rep_id",
            "pipeline",
            "stage",
            "amount",
            "currency",
            "expected_close",
            "lead_id",
            "customer",
            "lost_reason",
            "snooze_until",
            "snooze_reason",
        ],
    ),
    (
        "call",
        &[
            "rep_id",
            "direction",
            "outcome",
            "started_at",
            "talk_ms",
            "cold",
            "recording_url",
            "lead_id",
            "deal_id",
            "talk_ratio",
        ],
    ),
    ("email", &["rep_id", "cold", "template", "lead_id", "deal_id"]),
];

fn number_of(kind: Kind, name: &str) -> u32 {
    match (kind, name) {
        (_, "rep_id") => 0,
        (Kind::Deal | Kind::Call | Kind::Email, "lead_id") => 1,
        (Kind::Lead | Kind::Call | Kind::Email, "deal_id") => 2,
        (Kind::Lead, "channel") => 3,
        (Kind::Lead, "campaign") => 4,
        (Kind::Lead, "reason") => 5,
        (Kind::Deal, "pipeline") => 6,
        (Kind::Deal, "stage") => 7,
        (Kind::Deal, "amount") => 8,
        (Kind::Deal, "currency") => 9,
        (Kind::Deal, "expected_close") => 10,
        (Kind::Deal, "customer") => 11,
        (Kind::Deal, "lost_reason") => 12,
        (Kind::Deal, "snooze_until") => 13,
        (Kind::Deal, "snooze_reason") => 14,
        (Kind::Call, "direction") => 15,
        (Kind::Call, "outcome") => 16,
        (Kind::Call, "started_at") => 17,
        (Kind::Call, "talk_seconds") => 18,
        (Kind::Call | Kind::Email, "cold") => 19,
        (Kind::Call, "recording_url") => 20,
        (Kind::Call, "talk_ratio") => 21,
        (Kind::Email, "template") => 22,
        _ => UNKNOWN,
    }
}

fn identifier<'a>(json: &mut Json<'a>, chars_max: usize) -> Option<&'a str> {
    let id = json.plain()?;
    (!id.is_empty() && is_within(id, chars_max) && id.chars().all(is_surely_printable)).then_some(id)
}

fn is_within(text: &str, chars_max: usize) -> bool {
    text.len() <= chars_max || text.chars().count() <= chars_max
}

/// Characters that no version of Unicode takes for anything but printable ones. There are many more.
fn is_surely_printable(character: char) -> bool {
    matches!(character,
        ' '..='~'
        | '\u{c0}'..='\u{24f}' // Latin
        | '\u{410}'..='\u{44f}' // Cyrillic
        | '\u{5d0}'..='\u{5ea}' // Hebrew
        | '\u{621}'..='\u{63a}' | '\u{641}'..='\u{64a}' | '\u{671}'..='\u{6d3}' | '\u{6f0}'..='\u{6f9}' // Arabic
        | '\u{4e00}'..='\u{9fa5}' // Han
        | '\u{ac00}'..='\u{d7a3}' // Hangul
    )
}

fn text<'a>(json: &mut Json<'a>, chars_max: usize) -> Option<Cow<'a, str>> {
    let text = json.string()?;
    is_within(&text, chars_max).then_some(text)
}

fn one_of<'a>(value: &'a str, known: &[&str]) -> Option<&'a str> {
    known.contains(&value).then_some(value)
}

/// Money units of an amount that is surely in range: digits, and up to four behind a point.
fn amount(json: &mut Json<'_>) -> Option<i64> {
    let (whole, fraction) = if json.peek() == b'"' {
        let text = json.plain()?;
        match text.split_once('.') {
            Some((_, "")) => return None,
            Some(parts) => parts,
            None => (text, ""),
        }
    } else {
        json.decimal()?
    };
    let is_easy = (1..=EASY_DIGITS_MAX).contains(&whole.len()) && fraction.len() <= FRACTION_DIGITS;
    if !is_easy || !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(number(whole, fraction) * 10_i64.pow((FRACTION_DIGITS - fraction.len()) as u32))
}

/// Milliseconds of a number of seconds: digits, and up to three behind a point.
fn talk_ms(json: &mut Json<'_>) -> Option<i64> {
    let (whole, fraction) = json.decimal()?;
    if whole.len() > EASY_DIGITS_MAX || fraction.len() > 3 {
        return None;
    }
    let ms = number(whole, fraction) * 10_i64.pow(3 - fraction.len() as u32);
    (ms <= TALK_SECONDS_MAX * 1_000).then_some(ms)
}

/// Parts of `RATIO_UNITS` of a share from 0 to 1, with up to four digits behind the point.
fn talk_ratio(json: &mut Json<'_>) -> Option<i64> {
    let (whole, fraction) = json.decimal()?;
    if whole.len() > 1 || fraction.len() > RATIO_DIGITS {
        return None;
    }
    let ratio = number(whole, fraction) * 10_i64.pow((RATIO_DIGITS - fraction.len()) as u32);
    (ratio <= 10_i64.pow(RATIO_DIGITS as u32)).then_some(ratio)
}

/// The digits of two texts as one number.
fn number(whole: &str, fraction: &str) -> i64 {
    let digits = whole.bytes().chain(fraction.bytes());
    digits.fold(0, |number, byte| number * 10 + i64::from(byte - b'0'))
}

/// µs since the epoch of `2026-11-23T09:30:00.123456+03:30`: with up to six digits of a second, and an offset or `Z`.
pub fn instant(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    if bytes.len() < 20 {
        return None;
    }
    let number = |begin: usize, size: usize| -> Option<i64> {
        bytes[begin..begin + size].iter().try_fold(0, |number, byte| {
            byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0'))
        })
    };
    let is_marked = bytes[4] == b'-' && bytes[7] == b'-' && bytes[10] == b'T' && bytes[13] == b':' && bytes[16] == b':';
    if !is_marked {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 2)?, number(8, 2)?);
    let (hour, minute, second) = (number(11, 2)?, number(14, 2)?, number(17, 2)?);
    let is_date = YEARS.contains(&year) && (1..=12).contains(&month) && (1..=days_in(year, month)).contains(&day);
    if !is_date || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let mut place = 19;
    let mut fraction = 0;
    if bytes[place] == b'.' {
        place += 1;
        let size = bytes[place..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if !(1..=6).contains(&size) {
            return None;
        }
        fraction = number(place, size)? * 10_i64.pow(6 - size as u32);
        place += size;
    }
    let offset_minutes = match bytes[place..] {
        [b'Z'] => 0,
        [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
            let (hours, minutes) = (number(place + 1, 2)?, number(place + 4, 2)?);
            if hours > 15 || minutes > 59 {
                return None;
            }
            let minutes = hours * 60 + minutes;
            if sign == b'-' {
                -minutes
            } else {
                minutes
            }
        }
        _ => return None,
    };
    let seconds = (hour * 60 + minute) * 60 + second;
    Some(days_since_epoch(year, month, day) * DAY_US + seconds * 1_000_000 + fraction - offset_minutes * MINUTE_US)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 in the proleptic Gregorian calendar: with years that begin in March, leap days come last.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    365 * year + year / 4 - year / 100 + year / 400 + day_of_year - 719_468
}
