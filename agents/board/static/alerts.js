// Alerts as a manager reads them: who, what, since when, against which baseline.

import { h, repAddress } from "./dom.js";
import { say } from "./i18n.js";
import * as format from "./format.js";

const SIGNS = { critical: "▲", warning: "◆" };

export function alertItem(alert, asOf, told) {
  const name = alert.level === "rep" ? h("a", { href: repAddress(alert.subject) }, h("bdi", {}, alert.name)) : h("bdi", {}, alert.name);
  return h(
    "li",
    { class: `alert ${alert.severity}` },
    h(
      "p",
      { class: "head" },
      h("span", { class: "severity" }, h("span", { "aria-hidden": "true" }, `${SIGNS[alert.severity] ?? "●"} `), say[alert.severity] ?? alert.severity),
      h("span", { class: "what" }, say.detectors[alert.detector] ?? alert.detector),
      h("span", { class: "since" }, say.since(format.moment(alert.since, asOf))),
      told ? h("span", { class: "told" }, h("span", { "aria-hidden": "true" }, "✉ "), say.told(format.time(told))) : null,
    ),
    h("p", { class: "name" }, name, alert.team && alert.level === "rep" ? h("span", { class: "team" }, h("bdi", {}, alert.team)) : null),
    h("p", { class: "text" }, say.sentence(alert, format), h("span", { class: "proof" }, ` (${say.evidenceText(format.number(alert.evidence.evidence, 1))})`)),
  );
}
