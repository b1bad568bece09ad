/**
 * What the page of a run that goes on does in the browser: whenever its server says that a batch is finished, it asks for the page
 * anew and takes over what has changed. The reader's place, what is open, what is scrolled and what has the focus stay.
 */
export const followScript = `
"use strict";
const header = document.querySelector("header");
const state = document.createElement("p");
state.id = "following";
state.setAttribute("role", "status");
header.querySelector("h1").after(state);
const say = (text) => { if (state.textContent !== text) state.textContent = text; };

const nameOf = (element) => [
  element.closest("figure, section")?.querySelector("h2, [id]")?.id ?? "", element.closest("figure")?.id ?? "", element.tagName,
  element.getAttribute("aria-label") ?? element.getAttribute("href") ?? (element.querySelector("summary") ?? element).textContent,
].join("\\n");
const keepers = "details, .wide, summary, a, pre";

function replace(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  const kept = new Map();
  const focused = old.contains(document.activeElement) ? nameOf(document.activeElement) : undefined;
  for (const element of old.querySelectorAll(keepers)) kept.set(nameOf(element), { open: element.open, left: element.scrollLeft });
  old.replaceWith(fresh);
  for (const element of fresh.querySelectorAll(keepers)) {
    const { open = false, left = 0 } = kept.get(nameOf(element)) ?? {};
    if (open) element.open = true;
    if (left > 0) element.scrollLeft = left;
    if (nameOf(element) === focused) element.focus({ preventScroll: true });
  }
}

/** The last heading over the middle of the window, and how high it stands. */
function place() {
  const headings = [...document.querySelectorAll("main h2, main h3")].filter((one) => one.getBoundingClientRect().top < innerHeight / 2);
  const last = headings.at(-1);
  return last && { text: last.textContent, top: last.getBoundingClientRect().top };
}

function update(page) {
  const before = scrollY > 0 ? place() : undefined;
  document.title = page.title;
  for (const part of ["h1", "header > p:not(#following)", "nav"]) replace(document.querySelector(part), page.querySelector(part));
  const [alarms, raised] = [document.querySelector("#alarms"), page.querySelector("#alarms")];
  if (!alarms.isEqualNode(raised)) alarms.replaceChildren(...raised.childNodes);
  const [main, fresh] = [document.querySelector("main"), page.querySelector("main")];
  const ids = (of) => [...of.children].map((section) => section.getAttribute("aria-labelledby")).join(" ");
  if (ids(main) !== ids(fresh)) replace(main, fresh);
  else for (const [index, section] of [...fresh.children].entries()) replace(main.children[index], section);
  if (before === undefined) return;
  const same = [...document.querySelectorAll("main h2, main h3")].find((one) => one.textContent === before.text);
  if (same !== undefined) scrollBy({ top: same.getBoundingClientRect().top - before.top, behavior: "instant" });
}

let wanted = 0;
let reading;
/** One reading at a time; what is finished meanwhile is in the next one. */
function refresh() {
  wanted += 1;
  reading ??= (async () => {
    try {
      for (let had = 0; had !== wanted; ) {
        had = wanted;
        const answer = await fetch("/");
        if (!answer.ok) throw new Error(answer.statusText);
        update(new DOMParser().parseFromString(await answer.text(), "text/html"));
      }
    } finally { reading = undefined; }
  })();
  return reading;
}

const events = new EventSource("/events");
const FOLLOWING = "This page follows the run, batch by batch.";
const LOST = "The run cannot be reached. This page shows how it was last seen.";
const follow = () => refresh().then(() => say(FOLLOWING), () => say(LOST));
for (const name of ["open", "stage", "batch", "evaluation"]) events.addEventListener(name, follow);
events.addEventListener("error", () => say(LOST));
events.addEventListener("end", async () => {
  await refresh().catch(() => undefined);
  events.close();
  say("The run has stopped. This page shows how it was then.");
});
`;
