import { plotStyle } from "../plots/styles.js";

/** Of the page. Printed it is black on white, whatever the screen shows. */
export const pageStyle = `
:root { color-scheme: light dark; --page: #ffffff; --ink: #1b1b1b; --quiet: #565656; --line: #c9c9c9; --link: #00558f; --band: #f2f4f6; --alarm: #b3261e; }
@media screen and (prefers-color-scheme: dark) {
  :root { --page: #16181b; --ink: #e8e8e8; --quiet: #b0b4b8; --line: #454a50; --link: #7cc4f5; --band: #202429; --alarm: #ff9a8f; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem 1.25rem 4rem; max-width: 76rem; background: var(--page); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.2; }
h2 { margin-top: 3rem; padding-top: .5rem; border-top: 1px solid var(--line); font-size: 1.35rem; }
h3 { margin: 2rem 0 .5rem; font-size: 1.1rem; }
p, figcaption, dd, li { max-width: 46rem; }
a { color: var(--link); }
a.skip { position: absolute; left: -100rem; }
a.skip:focus { left: 1rem; background: var(--page); padding: .5rem; }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
nav ul { padding-left: 1.2rem; }
#alarms:not(:empty) { padding-left: 1rem; border-left: .3rem solid var(--alarm); }
#following { color: var(--quiet); }
.wide { overflow-x: auto; margin: .75rem 0; }
table { width: max-content; max-width: 100%; border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding: .25rem 0; }
td { max-width: 40rem; overflow-wrap: break-word; }
th, td { padding: .2rem .7rem .2rem 0; text-align: left; vertical-align: top; }
th { vertical-align: bottom; }
th[scope=colgroup] { border-bottom: 1px solid var(--line); }
th.right, td.right { text-align: right; }
td.right { white-space: nowrap; }
thead tr:last-child > * { border-bottom: 1px solid var(--ink); }
tbody tr:nth-child(even) { background: var(--band); }
pre { overflow-x: auto; white-space: pre-wrap; padding: .6rem .8rem; background: var(--band); font-size: .85rem; }
code { overflow-wrap: anywhere; }
pre code { overflow-wrap: normal; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1.5rem; }
dt { font-weight: 600; }
dd { margin: 0; }
@media (max-width: 40rem) { dl { grid-template-columns: 1fr; } }
figure { margin: 0; }
figcaption { color: var(--quiet); font-size: .95rem; }
details { margin: .5rem 0; }
summary { cursor: pointer; color: var(--link); }
svg.plot { display: block; max-width: 100%; min-width: 34rem; height: auto; }
@media print {
  body { max-width: none; padding: 0; font-size: 10pt; }
  nav, a.skip { display: none; }
  figure, tr { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  .wide { overflow: visible; }
  svg.plot { min-width: 0; }
  table { font-size: 7.5pt; }
  th, td { padding-right: .4rem; }
  figcaption { font-size: 9pt; }
}
${plotStyle}
`.trim();
