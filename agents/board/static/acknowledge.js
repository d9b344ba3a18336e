// A page is acknowledged here, by a person who presses a button: opening the link changes nothing.

import { byId, h, label } from "./dom.js";
import { say } from "./i18n.js";

const asked = new URLSearchParams(location.search);
const alertname = asked.get("alertname") ?? "";
const labels = Object.fromEntries([...asked].filter(([name]) => name !== "alertname" && name !== "lang"));

label();
byId("what").replaceChildren(h("bdi", {}, [alertname, ...Object.values(labels).filter(Boolean)].join(" · ")));
byId("do").addEventListener("click", async () => {
  byId("do").disabled = true;
  let said;
  try {
    const answer = await fetch("/api/v1/acknowledgements", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ alertname, labels, who: byId("who").value }),
    });
    const told = await answer.json();
    said = answer.ok ? say.acknowledgedUntil(told.until.slice(0, 16).replace("T", " ")) : `${told.title}: ${told.detail}`;
    byId("do").disabled = answer.ok;
  } catch {
    said = say.noAnswer;
    byId("do").disabled = false;
  }
  byId("said").textContent = said;
});
