import * as Plot from "@observablehq/plot";

/**
 * How curves are told apart: by colour, and by dash and marker too, for whoever sees no colours and for print. The colours are
 * Okabe and Ito's, which colour-blind people can tell apart, made darker for a light ground and lighter for a dark one, and four more.
 */
const colours = [
  { light: "#0072b2", dark: "#56b4e9" },
  { light: "#c24e00", dark: "#f0893e" },
  { light: "#00795a", dark: "#2fc79a" },
  { light: "#a8447f", dark: "#e79cc7" },
  { light: "#7a6200", dark: "#f0e442" },
  { light: "#333333", dark: "#dddddd" },
  { light: "#5f4bb6", dark: "#b6a6ff" },
  { light: "#8c3b2a", dark: "#d6957f" },
  { light: "#007c89", dark: "#63d3dd" },
];
const dashes = ["none", "7 3", "2 3", "9 3 2 3", "12 4"];
const markers = ["circle", "square", "triangle", "diamond", "times", "plus", "star"] as const;

export interface CurveStyle {
  colour: string;
  dash: string;
  marker: (typeof markers)[number];
}

/** The lists are of lengths without a common factor, so that styles repeat only after 315. */
export function curveStyle(index: number): CurveStyle {
  return {
    colour: `var(--curve-${index % colours.length})`,
    dash: dashes[index % dashes.length]!,
    marker: markers[index % markers.length]!,
  };
}

/** Colours that a scale is drawn in. */
export const HEAT_STEPS = 32;

/** Of a share from 0 to 1. */
export function heatColour(share: number): string {
  return `var(--heat-${Math.round(share * (HEAT_STEPS - 1))})`;
}

/**
 * ColorBrewer's scale from yellow over green to blue, which gets darker all the way: who sees no hues sees that, and so does who
 * prints it grey. On a dark ground it is turned round, so that little is near the ground on both.
 */
function heatColours(ground: "light" | "dark"): string[] {
  const scale = Plot.scale({ color: { scheme: "ylgnbu", domain: [0, 1], reverse: ground === "dark" } })!;
  return Array.from({ length: HEAT_STEPS }, (_, step) => scale.apply(step / (HEAT_STEPS - 1)) as string);
}

function variables(ground: "light" | "dark", text: string, paper: string): string {
  const curves = colours.map((colour, index) => `--curve-${index}: ${colour[ground]}`);
  const heats = heatColours(ground).map((colour, step) => `--heat-${step}: ${colour}`);
  return [`--text: ${text}`, `--paper: ${paper}`, ...curves, ...heats].join("; ");
}

/** What plots look like; printed they are on white, whatever the screen shows. */
export const plotStyle = `
.plot { ${variables("light", "#1b1b1b", "#ffffff")}; color: var(--text); font: 13px system-ui, sans-serif; }
@media screen and (prefers-color-scheme: dark) { .plot { ${variables("dark", "#e8e8e8", "#16181b")} } }
.plot text { unicode-bidi: isolate; white-space: pre; }
.plot .paper { fill: var(--paper); }
.plot .heading { fill: currentColor; font-weight: 600; }
`.trim();
