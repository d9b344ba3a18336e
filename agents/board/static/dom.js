// Building the page. Everything from the board goes in as text, never as markup.

import { lang, say } from "./i18n.js";

export const byId = id => document.getElementById(id);

export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "class") element.className = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter(child => child !== null && child !== undefined));
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

export function svg(tag, properties = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(properties)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// A bar: how much of what is wanted is done, and a mark where it should be by now.
const BAR_MOST = 1.25;

export function bar(share, mark, tone) {
  const at = value => `${(Math.min(Math.max(value, 0), BAR_MOST) / BAR_MOST) * 100}%`;
  const fill = h("span", { class: "fill" });
  fill.style.inlineSize = at(share ?? 0);
  const track = h("span", { class: `bar ${tone ?? ""}`, "aria-hidden": "true" }, fill);
  const whole = h("span", { class: "whole" });
  whole.style.insetInlineStart = at(1);
  track.append(whole);
  if (mark !== null && mark !== undefined) {
    const here = h("span", { class: "mark" });
    here.style.insetInlineStart = at(mark);
    track.append(here);
  }
  return track;
}

// Labels of the document itself, and links that keep the language.
export function label() {
  for (const element of document.querySelectorAll("[data-label]")) element.textContent = say[element.dataset.label];
  for (const element of document.querySelectorAll("[data-label-aria]")) element.setAttribute("aria-label", say[element.dataset.labelAria]);
  for (const link of document.querySelectorAll(".languages a")) {
    if (link.lang === lang) link.setAttribute("aria-current", "true");
  }
}

export const repAddress = id => `/reps/${encodeURIComponent(id)}${lang === "en" ? "" : `?lang=${lang}`}`;
export const wallAddress = () => (lang === "en" ? "/" : `/?lang=${lang}`);
