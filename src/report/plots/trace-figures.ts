import type { TraceFiles, TraceSummary } from "../../run/index.js";
import { type RoleEffects, type TokenRole, type TracedFact, tokenRoles, traceKinds } from "../../trace/index.js";
import { isolated } from "../html.js";
import { quoted, tenths } from "../table.js";
import { kindTitles, spanOf } from "../tables/trace-tables.js";
import type { CurveFigure, Figure, HeatMapFigure, HeatMapPanel, Point, Row } from "./figure.js";

const LAYER = "layer";
const EFFECT = "indirect effect, points";

const roleTitles: Record<TokenRole, string> = {
  firstSubject: "first subject token",
  middleSubject: "middle subject tokens",
  lastSubject: "last subject token",
  firstSubsequent: "first subsequent token",
  further: "further tokens",
  last: "last token",
};

/**
 * The figures of a trace: averages, as the published ones are, and some facts by themselves.
 *
 * @param prefix - Of the names of their files.
 */
export function traceFigures({ summary, facts }: TraceFiles, prefix: string): Figure[] {
  const figures = [averages(summary), lastSubjectToken(summary), ...facts.map(singleFact)];
  return figures.flatMap((figure) => (figure.panels.length === 0 ? [] : [{ ...figure, id: prefix + figure.id }]));
}

function averages({ average, window }: TraceSummary): HeatMapFigure {
  const panels = traceKinds.flatMap((kind): HeatMapPanel[] => {
    const roles = average.kinds[kind];
    if (roles === undefined) return [];
    const rows = tokenRoles.flatMap((role): Row[] =>
      roles[role] === undefined ? [] : [{ label: roleTitles[role], points: pointsOf(roles[role]) }],
    );
    return [{ name: kindTitles[kind], heading: `${kindTitles[kind]} restored`, reach: [0, 0], rows }];
  });
  return {
    ...{ id: "effects", title: "Average indirect effects", panelsBy: "restored", x: LAYER, y: "", measure: "points" },
    explanation:
      "Noise on the subject takes the answer away. Each cell is how much of the answer's probability comes back, in percentage points " +
      "and on average over the facts, when that one thing is restored there to what the model computed without noise: a dark cell (on a dark page, a bright " +
      `one) carries the facts. MLP and attention outputs are restored in windows of ${window} layers around the one shown. Each panel has a ` +
      "scale of its own. 95 % bands are with the data.",
    ...{ errors: "95 % band", panels },
  };
}

function lastSubjectToken({ average, suggestion, window }: TraceSummary): CurveFigure {
  const curves = traceKinds.flatMap((kind, style) => {
    const effects = average.kinds[kind]?.lastSubject;
    return effects === undefined ? [] : [{ label: kindTitles[kind], style, points: pointsOf(effects) }];
  });
  const span =
    suggestion === null
      ? undefined
      : {
          from: suggestion.layers[0]!,
          to: suggestion.layers.at(-1)!,
          label: `layers to edit: ${spanOf(suggestion.layers)}`,
        };
  return {
    ...{ id: "last-subject-token", title: "Average indirect effects at the subject's last token", panelsBy: "" },
    explanation:
      "The row of the last subject token, with bands in which the means are with 95 % confidence. Where the effect of MLPs is large is where editing " +
      `methods write: the layers around its peak are those to edit. A window of MLP or attention outputs has ${window} layers.`,
    ...{ x: LAYER, y: EFFECT, errors: "95 % band", reach: [0, 0] },
    ...(span !== undefined && { span }),
    panels: curves.length === 0 ? [] : [{ name: "", curves }],
  };
}

/** In points; without a band where there is one token alone. */
function pointsOf({ mean, band }: RoleEffects): Point[] {
  return mean.map((value, x) => ({ x, y: 100 * value, ...(band !== null && { error: 100 * band[x]! }) }));
}

function singleFact(fact: TracedFact, index: number): HeatMapFigure {
  const { prompt, answer, high, low, scores } = fact;
  const labels = tokenLabels(fact);
  const panels = traceKinds.flatMap((kind): HeatMapPanel[] => {
    const rows = scores[kind]?.map((row, token) => ({
      label: labels[token]!,
      points: row.map((score, x) => ({ x, y: 100 * score })),
    }));
    if (rows === undefined) return [];
    return [{ name: kindTitles[kind], heading: `${kindTitles[kind]} restored`, reach: [100 * low, 100 * low], rows }];
  });
  return {
    ...{
      id: `fact-${index + 1}`,
      title: `A single fact: ${isolated(quoted(prompt, 80))} → ${isolated(quoted(answer.trim()))}`,
      panelsBy: "restored",
    },
    explanation:
      `The model gives its answer a probability of ${tenths(100 * high)} %, and with noise on the subject (*) ${tenths(100 * low)} %. ` +
      "Each cell is that probability when that one thing is restored there. Each panel has a scale of its own.",
    ...{ x: LAYER, y: "", measure: "%", panels },
  };
}

/** The text of each token, with an asterisk where it is of the subject, and with its place where its text comes twice. */
function tokenLabels({ tokenTexts, subjectRange: [begin, end] }: TracedFact): string[] {
  const texts = tokenTexts.map(
    (text, token) => `${isolated(quoted(text, 20))}${token >= begin && token < end ? "*" : ""}`,
  );
  return texts.map((text, token) => {
    return texts.indexOf(text) === texts.lastIndexOf(text) ? text : `${text} (${token + 1})`;
  });
}
