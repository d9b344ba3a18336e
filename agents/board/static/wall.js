// The wall: alerts on top, the organisation in seven figures, then everybody, worst first. Live.

import { alertItem } from "./alerts.js";
import { bar, byId, h, label, repAddress } from "./dom.js";
import * as format from "./format.js";
import { say } from "./i18n.js";
import { listen } from "./live.js";

const ALERTS_SHOWN = 4;
const ROWS_SHOWN_MAX = 300;
const PACE_BAD = 0.8;
const ATTAINED_BAD = 0.7;
const REASONS_MARKED = 3;
const PAGING = ["loss_spike", "funnel_stalled"];
const EVIDENCE_WARNING = 3;
const EVIDENCE_CRITICAL = 4;
const SIGNS = { critical: "▲", warning: "◆" };

const rows = { reps: new Map(), teams: new Map() };
let organisation = null;
let alerts = { as_of: "", alerts: [] };
let asOf = "";
let view = new URLSearchParams(location.search).get("view") === "teams" ? "teams" : "reps";
let sought = new URLSearchParams(location.search).get("team") ?? "";
let allAlerts = false;
let due = false;

const two = (above, below, tone, noteTone) => [
  h("span", { class: `value ${tone ?? ""}` }, ...[above].flat()),
  h("span", { class: `note ${noteTone ?? ""}` }, ...[below ?? ""].flat()),
];

// What makes up most of a rep's place in the list stands out; the rest stays quiet.
const tone = (row, reason) => (row.reasons.slice(0, REASONS_MARKED).includes(reason) ? "bad" : "");

// A sign, so that nothing is told by colour alone.
function signed(text, good, words) {
  return [h("span", { class: "sign", "aria-hidden": "true" }, good ? "▲" : "▼"), " ", text, h("span", { class: "unseen" }, ` ${words}`)];
}

const columns = [
  { name: "rank", cell: (row, rank) => [h("span", { class: "value" }, format.number(rank))] },
  { name: "rep", cell: identity },
  { name: "sales", hint: "hintSales", cell: sales },
  { name: "pace", hint: "hintPace", cell: pace },
  { name: "growth", hint: "hintGrowth", cell: growth },
  { name: "idle", hint: "hintIdle", cell: row => two(row.open_deals ? format.duration(row.idle_seconds) : "–", row.slow_stage && row.slow_stage.ratio > 1 ? [`${say.bottleneck}: `, h("bdi", {}, row.slow_stage.stage)] : "", tone(row, "funnel_stalled")) },
  { name: "open", cell: row => two(format.number(row.open_deals), row.overdue_deals ? say.overdue(format.number(row.overdue_deals)) : say.noneOverdue, tone(row, "overdue")) },
  { name: "conversion", hint: "hint30", cell: conversion },
  { name: "outreach", hint: "hintOutreach", cell: outreach },
  { name: "loss", hint: "hint30", cell: row => two(format.percent(row.loss_rate), row.decided ? say.of(format.number(row.lost), format.number(row.decided)) : "", tone(row, "loss_spike")) },
  { name: "signs", hint: "hintEvidence", cell: evidence },
];

function identity(row) {
  const name = row.level === "rep" ? h("a", { href: repAddress(row.id) }, h("bdi", {}, row.name)) : h("bdi", {}, row.name);
  const severity = row.severity
    ? h("span", { class: `tag ${row.severity}` }, h("span", { "aria-hidden": "true" }, `${SIGNS[row.severity] ?? "●"} `), say[row.severity] ?? row.severity)
    : null;
  const below = [row.team ? h("bdi", {}, row.team) : null, row.active ? null : h("span", {}, ` · ${say.inactive}`)];
  return [h("span", { class: "name" }, name, severity), h("span", { class: "note" }, ...below.filter(Boolean))];
}

function sales(row) {
  const { currency } = row;
  if (!currency) return two(format.number(0), say.noQuota);
  const won = format.money(row.won_amount[currency] ?? "0", currency);
  const quota = row.quota[currency];
  const others = Object.keys(row.won_amount).filter(other => other !== currency).map(other => ` + ${format.money(row.won_amount[other], other)}`);
  const attained = row.attainment[currency];
  return [
    h("span", { class: "value" }, won, h("span", { class: "of" }, quota ? ` / ${format.money(quota, currency)}` : ` ${say.noQuota}`, ...others)),
    attained === undefined ? null : bar(attained, row.elapsed, tone(row, "pace")),
  ];
}

function pace(row) {
  const value = row.pace[row.currency];
  if (value === undefined) return two("–");
  return two(signed(format.number(value, 2), value >= 1, value >= 1 ? say.ahead : say.behind), say.ofQuota(format.percent(row.attainment[row.currency])), tone(row, "pace"));
}

function growth(row) {
  const { currency } = row;
  const value = row.growth[currency];
  if (value === undefined) return two("–");
  const cause = row.cause[currency];
  return two(signed(format.percent(value, 0, "exceptZero"), value >= 0, value >= 0 ? say.better : say.worse), cause && value < 0 ? say.because(say.causes[cause]) : "", tone(row, "growth"));
}

function conversion(row) {
  const below = row.conversion_half ? say.halves[row.conversion_half] : row.conversion_expected === null ? "" : say.expected(format.percent(row.conversion_expected));
  return two(format.percent(row.conversion), below, tone(row, "conversion"));
}

// Before anything is expected, for example early in the day, there is nothing to compare with.
const asksFor = row => Math.round(row.outreach_expected ?? 0) > 0;

function outreach(row) {
  const below = row.needs_support ? `◆ ${say.support}` : row.outreach_recent === null ? "" : say.fiveDays(format.percent(row.outreach_recent));
  const done = !asksFor(row) ? format.number(row.outreach_done) : say.of(format.number(row.outreach_done), format.number(row.outreach_expected));
  return two(done, below, asksFor(row) && row.outreach_attainment < ATTAINED_BAD ? tone(row, "outreach") : "", row.needs_support ? "bad" : "");
}

function evidence(row) {
  const found = Object.entries(row.evidence).filter(([, value]) => value >= 1).sort((one, other) => other[1] - one[1]);
  if (!found.length) return two("–");
  const [name, value] = found[0];
  const sign = value > EVIDENCE_CRITICAL && PAGING.includes(name) ? "▲ " : value > EVIDENCE_WARNING ? "◆ " : "";
  return two(`${sign}${format.number(value, 1)}`, say.detectors[name] ?? name, value > EVIDENCE_WARNING ? "bad" : "");
}

function drawHeads() {
  byId("heads").replaceChildren(
    ...columns.map(column =>
      h("th", { scope: "col", class: column.name }, column.name === "rep" && view === "teams" ? say.team : say[column.name], column.hint ? h("span", { class: "note" }, say[column.hint]) : null),
    ),
  );
}

function shownRows() {
  const wanted = sought.trim().toLocaleLowerCase();
  const all = [...rows[view].values()].sort((one, other) => other.concern - one.concern || one.name.localeCompare(other.name) || (one.id < other.id ? -1 : 1));
  const matches = row => !wanted || [row.name, row.id, row.team ?? ""].some(text => text.toLocaleLowerCase().includes(wanted));
  return { all, shown: all.map((row, index) => [row, index + 1]).filter(([row]) => matches(row)).slice(0, ROWS_SHOWN_MAX) };
}

const drawn = new Map();

function drawRows() {
  const { all, shown } = shownRows();
  const lines = shown.map(([row, rank]) => {
    const key = `${view}/${row.id}`;
    const known = drawn.get(key);
    if (known && known.row === row && known.rank === rank) return known.line;
    const line = known?.line ?? h("tr");
    line.className = row.severity ?? "";
    line.replaceChildren(
      ...columns.map(column => h(column.name === "rep" ? "th" : "td", { class: column.name, scope: column.name === "rep" ? "row" : null }, h("div", {}, ...column.cell(row, rank)))),
    );
    drawn.set(key, { row, rank, line });
    return line;
  });
  const focused = document.activeElement;
  const table = byId("rows");
  if (lines.length !== table.children.length || lines.some((line, index) => table.children[index] !== line)) table.replaceChildren(...lines);
  if (focused && focused !== document.activeElement && focused.isConnected) focused.focus({ preventScroll: true });
  byId("count").textContent = say.shown(format.number(shown.length), format.number(all.length));
  byId("empty").hidden = all.length > 0 || document.body.classList.contains("stale");
  byId("table").hidden = all.length === 0;
}

function tile(name, value, note, tone, extra) {
  return h("div", { class: `tile ${tone ?? ""}` }, h("dt", {}, name), h("dd", {}, h("span", { class: "value" }, ...[value].flat()), extra ?? null, h("span", { class: "note" }, note ?? "")));
}

function drawTiles() {
  if (!organisation) return;
  const row = organisation;
  const { currency } = row;
  const quota = row.quota[currency];
  const rate = row.pace[currency];
  const grown = row.growth[currency];
  const cause = row.cause[currency];
  format.setCalendar(row.month);
  byId("organisation").textContent = row.name;
  byId("period").textContent = `${format.month(row.month)} · ${say.elapsed(format.percent(row.elapsed))} · ${say.asOf(format.time(asOf || row.as_of))}`;
  document.title = `${row.name} – Funnelwatch`;
  byId("tiles").replaceChildren(
    tile(say.wonMonth, currency ? format.money(row.won_amount[currency] ?? "0", currency) : format.number(0), quota ? `${say.ofQuota(format.percent(row.attainment[currency]))} · ${say.paceOf(format.number(rate, 2))}` : say.noQuota, rate < PACE_BAD ? "bad" : "", quota ? bar(row.attainment[currency], row.elapsed, rate < PACE_BAD ? "bad" : "") : null),
    tile(say.projection, currency && row.projection[currency] ? format.money(row.projection[currency], currency) : "–", quota ? say.quota(format.money(quota, currency)) : ""),
    tile(say.growthTile, grown === undefined ? "–" : signed(format.percent(grown, 0, "exceptZero"), grown >= 0, grown >= 0 ? say.better : say.worse), cause && grown < 0 ? say.because(say.causes[cause]) : say.hintGrowth, grown < 0 ? "bad" : ""),
    tile(say.pipeline, currency && row.open_amount[currency] ? format.money(row.open_amount[currency], currency) : format.number(0), `${say.deals(format.number(row.open_deals))} · ${say.overdue(format.number(row.overdue_deals))}`),
    tile(say.conversionTile, format.percent(row.conversion), row.conversion_expected === null ? "" : say.expected(format.percent(row.conversion_expected)), row.conversion !== null && row.conversion < row.conversion_expected ? "bad" : ""),
    tile(say.outreachTile, asksFor(row) ? format.percent(row.outreach_attainment) : format.number(row.outreach_done), !asksFor(row) ? "" : say.of(format.number(row.outreach_done), format.number(row.outreach_expected)), asksFor(row) && row.outreach_attainment < ATTAINED_BAD ? "bad" : ""),
    tile(say.lossTile, format.percent(row.loss_rate), say.decided(format.number(row.lost), format.number(row.decided))),
  );
}

function drawAlerts() {
  const found = alerts.alerts;
  const shown = allAlerts ? found : found.slice(0, ALERTS_SHOWN);
  byId("alerts-title").textContent = found.length ? `${say.alerts} (${format.number(found.length)})` : say.alerts;
  byId("alert-list").replaceChildren(...(found.length ? shown.map(alert => alertItem(alert, alerts.as_of, alerts.told?.[alert.id])) : [h("li", { class: "quiet" }, `✓ ${say.nobody}`)]));
  const more = byId("alert-more");
  more.hidden = found.length <= ALERTS_SHOWN;
  more.textContent = allAlerts ? say.fewer : say.more(format.number(found.length - ALERTS_SHOWN));
  more.setAttribute("aria-expanded", String(allAlerts));
}

function draw() {
  due = false;
  drawTiles();
  drawAlerts();
  drawHeads();
  drawRows();
  for (const button of document.querySelectorAll("[data-view]")) button.setAttribute("aria-pressed", String(button.dataset.view === view));
}

function later() {
  if (!due) {
    due = true;
    requestAnimationFrame(draw);
  }
}

function take(level, data) {
  asOf = data.as_of;
  for (const row of data.rows) rows[level].set(row.id, row);
  later();
}

label();
byId("find").value = sought;
byId("find").addEventListener("input", event => {
  sought = event.target.value;
  later();
});
document.addEventListener("keydown", event => {
  if (event.key === "/" && document.activeElement !== byId("find")) {
    event.preventDefault();
    byId("find").focus();
  }
});
byId("alert-more").addEventListener("click", () => {
  allAlerts = !allAlerts;
  drawAlerts();
});
for (const button of document.querySelectorAll("[data-view]")) {
  button.addEventListener("click", () => {
    view = button.dataset.view;
    later();
  });
}
listen({
  open: () => {
    rows.reps.clear();
    rows.teams.clear();
    drawn.clear();
  },
  reps: data => take("reps", data),
  teams: data => take("teams", data),
  organisation: data => {
    organisation = data.rows[0] ?? organisation;
    asOf = data.as_of;
    later();
  },
  alerts: data => {
    alerts = data;
    later();
  },
  gone: data => {
    for (const [level, id] of data) {
      rows[level]?.delete(id);
      drawn.delete(`${level}/${id}`);
    }
    later();
  },
  status: data => {
    asOf = data.as_of;
    later();
  },
});
