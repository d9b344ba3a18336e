// The stream of changes, and how current what is on the screen is: the age is always shown, and said aloud when it is bad.

import { byId } from "./dom.js";
import { lang, say } from "./i18n.js";
import * as format from "./format.js";

const SILENCE_SECONDS_MAX = 5;
const AGE_SECONDS_MAX = 30;
const AGAIN_MS = 3000;

let status = null;
let heardAt = null;
let startedAt = performance.now();

export function listen(handlers) {
  const source = new EventSource("/api/v1/stream");
  const on = (name, handle) =>
    source.addEventListener(name, event => {
      heardAt = performance.now();
      handle(JSON.parse(event.data));
    });
  for (const [name, handle] of Object.entries(handlers)) if (name !== "status" && name !== "open") on(name, handle);
  on("status", data => {
    status = data;
    show();
    handlers.status?.(data);
  });
  source.addEventListener("open", () => handlers.open?.());
  source.addEventListener("error", () => {
    show();
    if (source.readyState === EventSource.CLOSED) setTimeout(() => listen(handlers), AGAIN_MS);
  });
}

function silence() {
  return (performance.now() - (heardAt ?? startedAt)) / 1000;
}

function trouble() {
  if (silence() > SILENCE_SECONDS_MAX) {
    const since = new Date(Date.now() - silence() * 1000);
    return say.lost(since.toLocaleTimeString(lang === "fa" ? "fa-IR" : "en-GB"));
  }
  if (status && !status.ready) return say.notWhole(status.detail);
  const age = currentAge();
  return age !== null && age > AGE_SECONDS_MAX ? say.old(format.age(age)) : null;
}

function currentAge() {
  return status?.age_seconds === null || status?.age_seconds === undefined ? null : status.age_seconds + (heardAt === null ? 0 : silence());
}

function show() {
  const said = trouble();
  const banner = byId("banner");
  if (banner.textContent !== (said ?? "")) banner.textContent = said ?? "";
  banner.hidden = !said;
  document.body.classList.toggle("stale", Boolean(said));
  const age = currentAge();
  const badge = byId("age");
  badge.classList.toggle("bad", Boolean(said));
  badge.textContent = age === null ? (heardAt === null ? say.connecting : say.unknownAge) : say.age(format.age(age));
}

setInterval(show, 1000);
