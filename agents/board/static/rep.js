// One rep: alerts, the five KPIs, the months, and the recordings to hear first. Live.

import { alertItem } from "./alerts.js";
import { bar, byId, h, label, svg, wallAddress } from "./dom.js";
import * as format from "./format.js";
import { say } from "./i18n.js";
import { listen } from "./live.js";

const AGAIN_MS = 1000;
const NOT_FOUND = 404;
const MONTHS_SHOWN = 24;
const PACE_BAD = 0.8;
const SIGNS = { up: "▲", down: "▼" };
const rep = decodeURIComponent(location.pathname.replace(/^.*?\/reps\//, ""));

let shown = null;
let asked = 0;
let waiting = false;

const named = (found, key) => found[key] ?? key;
const stageName = stage => (stage === "" ? say.none : stage);
const seconds = found => format.duration(found);
const currencies = (...amounts) => [...new Set(amounts.flatMap(Object.keys))];

function figure(name, value, note, tone) {
  return h("div", { class: `figure ${tone ?? ""}` }, h("dt", {}, name), h("dd", {}, h("span", { class: "value" }, ...[value].flat()), note ? h("span", { class: "note" }, ...[note].flat()) : null));
}

function signed(value) {
  if (value === undefined || value === null) return "–";
  return [h("span", { class: "sign", "aria-hidden": "true" }, value >= 0 ? SIGNS.up : SIGNS.down), ` ${format.percent(value, 0, "exceptZero")}`];
}

function table(heads, lines, caption) {
  return h(
    "div",
    { class: "scroll" },
    h(
      "table",
      {},
      h("caption", { class: "unseen" }, caption),
      h("thead", {}, h("tr", {}, ...heads.map(head => h("th", { scope: "col" }, head)))),
      h("tbody", {}, ...lines.map(line => (line.length === 1 ? h("tr", { class: "group" }, h("th", { scope: "rowgroup", colspan: heads.length }, line[0])) : h("tr", {}, ...line.map((cell, index) => h(index ? "td" : "th", index ? {} : { scope: "row" }, ...[cell].flat())))))),
    ),
  );
}

function card(title, ...content) {
  return h("section", { class: "card" }, h("h2", {}, title), ...content);
}

function sales(document_) {
  const found = document_.sales;
  const all = currencies(found.quota, found.mtd.won_amount, found.prev_mtd.won_amount);
  const parts = all.map((currency, index) => h("div", {}, inCurrency(found, currency, index === 0), why(found.change[currency], currency)));
  return card(say.kpi1, ...(parts.length ? parts : [h("p", { class: "quiet" }, say.noQuota)]));
}

// The first currency, that of the quota if there is one, has all figures; the others what was won in them.
function inCurrency(found, currency, isFirst) {
  const won = found.mtd.won_amount[currency] ?? "0";
  const before = found.prev_mtd.won_amount[currency];
  const pace = found.pace[currency];
  const low = pace < PACE_BAD ? "bad" : "";
  const hasQuota = currency in found.quota;
  const judged = [
    figure(say.attainment, format.percent(found.attainment[currency]), hasQuota ? say.quota(format.money(found.quota[currency], currency)) : say.noQuota),
    figure(say.pace, pace === undefined ? "–" : format.number(pace, 2), say.hintPace, low),
    figure(say.projection, currency in found.projection ? format.money(found.projection[currency], currency) : "–"),
  ];
  const line = h(
    "dl",
    { class: "figures-line" },
    figure(say.wonMonth, format.money(won, currency, true), isFirst ? say.deals(format.number(found.mtd.won)) : ""),
    ...(isFirst || hasQuota ? judged : []),
    figure(say.growthTile, signed(found.growth[currency]), before === undefined ? "" : `${say.prevMtd} ${format.money(before, currency)}`, found.growth[currency] < 0 ? "bad" : ""),
    figure(say.prevMonth, format.money(found.prev_month.won_amount[currency] ?? "0", currency)),
  );
  return [line, hasQuota ? bar(found.attainment[currency], found.elapsed, low) : ""];
}

function why(change, currency) {
  if (!change) return "";
  const parts = ["volume", "win_rate", "deal_size"];
  return h(
    "dl",
    { class: "why" },
    h("div", {}, h("dt", {}, say.why), h("dd", { class: "value" }, format.change(change.amount, currency))),
    ...parts.map(part => h("div", { class: change.cause === part ? "cause" : "" }, h("dt", {}, change.cause === part ? `${SIGNS.down} ${say[part]}` : say[part]), h("dd", {}, format.change(change[part], currency)))),
  );
}

function funnel(document_) {
  const found = document_.funnel;
  const flow = document_.windows["30d"].flow;
  const month = document_.windows["30d"];
  const lines = Object.entries(found.pipelines).flatMap(([pipeline, now]) => pipelineLines(pipeline, now, month.flow[pipeline], stageName));
  const leads = pipelineLines(say.leads, found.leads, month.lead_flow, stage => named(say.stages, stage));
  return card(
    say.kpi2,
    h(
      "dl",
      { class: "figures-line" },
      figure(say.open, format.number(found.open_deals), format.amounts(found.open_amount)),
      figure(say.overdueNow, format.number(found.overdue_deals), "", found.overdue_deals * 2 > found.open_deals ? "bad" : ""),
      figure(say.idle, found.open_deals ? seconds(found.idle_seconds) : "–", say.hintIdle),
      figure(say.lastAdvance, found.last_advance ? format.moment(found.last_advance, document_.as_of) : "–"),
      figure(say.velocity, Object.entries(found.velocity).map(([currency, value]) => format.money(value, currency)).join(" + ") || "–"),
    ),
    table([say.stage, say.openNow, say.amount, say.overdueNow, say.median, say.p90, say.expectedTime], [...lines, ...leads], say.kpi2),
  );
}

function pipelineLines(pipeline, now, flow, name) {
  const held_up = now.bottleneck && now.bottleneck.ratio > 1 ? now.bottleneck.stage : null;
  const stages = Object.entries(now.stages).map(([stage, held]) => [
    [h("bdi", {}, name(stage)), stage === held_up ? h("span", { class: "tag" }, `◆ ${say.bottleneck}`) : ""],
    format.number(held.open),
    Object.keys(held.amount).length ? format.amounts(held.amount) : "–",
    held.overdue ? h("span", { class: "bad" }, `▲ ${format.number(held.overdue)}`) : format.number(0),
    seconds(flow?.[stage]?.working.median_seconds),
    seconds(flow?.[stage]?.working.p90_seconds),
    seconds(held.expected_seconds),
  ]);
  return stages.length ? [[h("bdi", {}, pipeline)], ...stages] : [];
}

function counted(part, whole) {
  return h("span", { class: "note" }, say.of(format.number(part), format.number(whole)));
}

function conversion(document_) {
  const leads = document_.windows;
  const lines = Object.entries(document_.conversion).map(([window, leak]) => [
    named(say.windows, window),
    format.percent(leak.period),
    format.percent(leak.cohort),
    [format.percent(leak.acceptance), counted(leads[window].leads.accepted, leads[window].leads.qualified)],
    [format.percent(leak.closing), counted(leads[window].leads.converted, leads[window].leads.accepted)],
    format.percent(leak.expected),
    leak.half ? h("span", { class: "bad" }, `▼ ${say.halves[leak.half]}`) : "–",
  ]);
  return card(say.kpi3, table([say.window, say.period, say.cohort, say.acceptance, say.closing, say.expectedTime, say.leak], lines, say.kpi3));
}

function outreach(document_) {
  const found = document_.outreach;
  const lines = Object.entries(found.windows).map(([window, pace]) => {
    const kinds = document_.windows[window].outreach;
    return [named(say.windows, window), format.number(pace.done), format.number(pace.expected), format.percent(pace.attainment), format.number(kinds.call), format.number(kinds.email), format.number(kinds.voicemail_drop), format.percent(kinds.connect_rate), seconds(kinds.talk_seconds)];
  });
  return card(
    say.kpi4,
    h(
      "dl",
      { class: "figures-line" },
      figure(say.recent, format.percent(found.recent_attainment), found.needs_support ? `◆ ${say.support}` : "", found.needs_support ? "bad" : ""),
      figure(say.perDay, found.per_day === null ? "–" : format.number(found.per_day)),
    ),
    table([say.window, say.done, say.expectedDone, say.attained, say.calls, say.emails, say.drops, say.connect, say.talk], lines, say.kpi4),
  );
}

function lost(document_) {
  const month = document_.windows["30d"];
  const lines = ["7d", "30d", "mtd", "90d"].map(window => {
    const found = document_.windows[window];
    return [named(say.windows, window), format.percent(found.loss_rate), format.number(found.lost), format.number(found.won), Object.keys(found.lost_amount).length ? format.amounts(found.lost_amount) : "–", format.number(found.created_per_lost, 1)];
  });
  return card(
    say.kpi5,
    table([say.window, say.lossRate, say.lostDeals, say.won, say.lostAmount, say.perLost], lines, say.kpi5),
    h("div", { class: "pair" }, ranked(say.byReason, month.lost_by_reason), ranked(say.byStage, month.lost_by_stage)),
  );
}

function ranked(title, found) {
  const entries = Object.entries(found).sort((one, other) => other[1].count - one[1].count);
  const most = entries[0]?.[1].count ?? 1;
  return h(
    "div",
    {},
    h("h3", {}, title),
    h("ul", { class: "ranked" }, ...entries.slice(0, 6).map(([name, counted]) => h("li", {}, h("span", {}, h("bdi", {}, stageName(name))), h("span", {}, format.number(counted.count)), bar(counted.count / most, null)))),
  );
}

function history(document_) {
  const months = Object.entries(document_.months).slice(-MONTHS_SHOWN);
  if (!months.length) return null;
  const currency = currencies(...months.map(([, found]) => found.won_amount))[0];
  const lines = [...months].reverse().map(([month, found]) => [format.month(month), format.number(found.created), format.number(found.won), Object.keys(found.won_amount).length ? format.amounts(found.won_amount) : "–", format.number(found.lost), format.percent(found.loss_rate), format.percent(found.leads.period), format.number(found.outreach.total)]);
  return card(
    say.history,
    currency ? chart(months, currency) : null,
    table([say.window, say.created, say.won, say.wonAmount, say.lostDeals, say.lossRate, say.conversion, say.kpi4], lines, say.history),
  );
}

// Won amount by month as bars; the table below says the same in figures.
function chart(months, currency) {
  const width = 960;
  const height = 190;
  const base = 160;
  const values = months.map(([, found]) => Number(found.won_amount[currency] ?? 0));
  const most = Math.max(...values, 1);
  const step = width / Math.max(months.length, 6);
  const rtl = document.documentElement.dir === "rtl";
  const drawing = svg("svg", { viewBox: `0 0 ${width} ${height}`, class: "chart", role: "img", "aria-label": `${say.history}: ${say.wonAmount}` });
  months.forEach(([month], index) => {
    const place = rtl ? width - (index + 1) * step : index * step;
    const tall = (Math.max(values[index], 0) / most) * (base - 26);
    const last = index === months.length - 1;
    drawing.append(svg("rect", { x: place + step * 0.15, y: base - tall, width: step * 0.7, height: Math.max(tall, 1), rx: 3, class: last ? "now" : "" }));
    const text = (y, content, kind) => {
      const element = svg("text", { x: place + step / 2, y, "text-anchor": "middle", class: kind });
      element.textContent = content;
      drawing.append(element);
    };
    text(base - tall - 6, format.money(values[index], currency), "value");
    text(height - 10, format.month(month, true), "label");
  });
  return h("figure", {}, drawing);
}

function recordings(document_) {
  if (!document_.coaching.length) return card(say.recordings, h("p", { class: "quiet" }, say.noRecordings));
  const ratios = document_.coaching.some(one => one.talk_ratio !== null); // only systems that listen to calls tell it
  const lines = document_.coaching.map(one => [
    format.moment(one.at, document_.as_of),
    link(one.url),
    [one.deal_id ? h("bdi", {}, one.deal_id) : "–", one.deal_lost ? h("span", { class: "tag" }, ` ▼ ${say.onLost}`) : null].filter(Boolean),
    one.outcome ? named(say.outcomes, one.outcome) : "–",
    seconds(one.talk_seconds),
    ...(ratios ? [format.percent(one.talk_ratio)] : []),
  ]);
  const titles = [say.when, say.listen, say.deal, say.outcome, say.talkTime, ...(ratios ? [say.talkRatio] : [])];
  return card(say.recordings, table(titles, lines, say.recordings));
}

// The address comes from a telephone system: only the web's own kinds of it become a link.
function link(address) {
  const safe = /^https?:\/\//i.test(address);
  return safe ? h("a", { href: address, rel: "noopener noreferrer", target: "_blank" }, `▶ ${say.listen}`) : h("bdi", {}, address);
}

function draw(found) {
  shown = found;
  format.setCalendar(found.sales.month);
  document.title = `${found.name} – Funnelwatch`;
  byId("name").textContent = found.name;
  byId("belongs").replaceChildren(
    ...[found.team ? h("span", {}, `${say.team} `, h("bdi", {}, found.team)) : null, found.manager ? h("span", {}, say.manager(found.manager)) : null, found.active ? null : h("span", {}, say.inactive)].filter(Boolean),
  );
  byId("period").textContent = `${format.month(found.sales.month)} · ${say.elapsed(format.percent(found.sales.elapsed))} · ${say.asOf(format.time(found.as_of))}`;
  const column = cards => h("div", {}, ...cards.filter(Boolean));
  byId("figures").replaceChildren(
    column([sales(found), conversion(found), lost(found), recordings(found)]),
    column([funnel(found), outreach(found), history(found)]),
  );
}

async function ask() {
  if (waiting) return;
  waiting = true;
  await new Promise(done => setTimeout(done, Math.max(0, asked + AGAIN_MS - performance.now())));
  waiting = false;
  asked = performance.now();
  try {
    const answer = await fetch(`/api/v1/reps/${encodeURIComponent(rep)}`);
    if (answer.ok) draw(await answer.json());
    else if (answer.status === NOT_FOUND) byId("figures").replaceChildren(h("p", { class: "empty" }, say.unknownRep(rep)));
  } catch {
    // the board is away: the banner says so, and the stream asks again when it is back
  }
}

label();
byId("back").href = wallAddress();
listen({
  open: ask,
  reps: data => {
    if (data.rows.some(row => row.id === rep)) ask();
  },
  gone: data => {
    if (data.some(([level, id]) => level === "rep" && id === rep)) ask();
  },
  alerts: data => {
    const own = data.alerts.filter(alert => alert.level === "rep" && alert.subject === rep);
    byId("alerts").hidden = own.length === 0;
    byId("alert-list").replaceChildren(...own.map(alert => alertItem(alert, data.as_of, data.told?.[alert.id])));
  },
  status: () => {
    if (shown === null) ask();
  },
});
