import { createHash } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import { html, Markup } from "../html.js";
import { placesOf, tracePlotsOf } from "../plots/places.js";
import { alarmsRegion } from "./alarms.js";
import type { PageMaterial } from "./material.js";
import { countsInWords, introduction, meaningSection, plotsSection, tablesSection, textsSection } from "./results.js";
import { overviewSection, runDetailsSection } from "./runs.js";
import { type Section, sectionElement } from "./section.js";
import { pageStyle } from "./style.js";
import { tracePlotsSection, tracesSection } from "./traces.js";

/**
 * A page that needs nothing but itself: no script, no network, no other file. It forbids itself all of them, so that nothing
 * that came with a run can be anything but text.
 *
 * @param script - Of a page that is served while a run goes on: the one script it allows itself, and with it its own server.
 */
export async function reportPage(material: PageMaterial, script?: string): Promise<string> {
  const sections: Section[] = [];
  for (const make of sectionMakers(material)) {
    const section = make();
    if (section !== null) sections.push(section);
    await setImmediate(); // a section with its plots takes some milliseconds
  }
  const title = `lyaplock: ${countsInWords(material)}`;
  const allowed = script === undefined ? "" : `script-src '${hashOf(script)}'; connect-src 'self'; `;
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; ${allowed}style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>${title}</title>
<style>${new Markup(pageStyle)}</style>
</head>
<body>
<a class="skip" href="#content">To the content</a>
<header><h1>${title}</h1>
${introduction(material)}
${alarmsRegion(material.runs)}
<nav aria-label="Contents"><ul>${sections.map(({ id, heading }) => html`<li><a href="#${id}"><bdi>${heading}</bdi></a></li>\n`)}</ul></nav></header>
<main id="content">
${sections.map(sectionElement)}</main>
${script === undefined ? null : new Markup(`<script>${script}</script>\n`)}</body>
</html>
`;
  return page.source;
}

/** By which the page's policy knows a script. */
function hashOf(script: string): string {
  return `sha256-${createHash("sha256").update(script).digest("base64")}`;
}

/** The parts of the page in their order; null for what the runs have nothing for. What else a run can hold gets a part here. */
function sectionMakers({ runs, caseStudies, traces = [] }: PageMaterial): (() => Section | null)[] {
  const ofTraces = [
    () => tracesSection(traces),
    ...tracePlotsOf(traces).map((plots, index) => () => tracePlotsSection(plots, index)),
  ];
  if (runs.length === 0 && traces.length > 0) return ofTraces;
  return [
    () => overviewSection(runs),
    () => meaningSection(),
    () => tablesSection(runs),
    ...placesOf(runs).map((place, index) => () => plotsSection(place, index)),
    () => textsSection(caseStudies),
    ...ofTraces,
    () => runDetailsSection(runs),
  ];
}
