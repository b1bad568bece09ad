import type { LayerReport } from "../../edit/report.js";
import type { Metrics, Statistic } from "../../evaluate/index.js";
import type { EvaluationLine, RunFiles } from "../../run/index.js";
import { byMethod, labelAmong } from "../tables/labels.js";
import { type Curve, type CurveFigure, type Panel, type Point, thinned } from "./figure.js";

/** A run as it is drawn: its name among the others, and a style that it keeps in all figures. */
interface Drawn {
  run: RunFiles;
  label: string;
  style: number;
}

const EDITS = "facts edited";
const PERCENT = [0, 100] as const;

/**
 * The figures that runs on one model and data set can fill, with the runs overlaid.
 *
 * @param prefix - Of the names of their files.
 */
export function figuresOf(runs: readonly RunFiles[], prefix = ""): CurveFigure[] {
  const label = labelAmong(runs);
  const drawn = [...runs].sort(byMethod).map((run, style) => ({ run, label: label(run), style }));
  const figures = [
    preservation(drawn),
    ...layerFigures(drawn),
    metrics(drawn),
    recall(drawn),
    byBatch(drawn),
    glue(drawn),
    perplexity(drawn),
    knowledge(drawn),
    seconds(drawn),
    memory(drawn),
  ];
  return figures
    .map((figure) => ({ ...figure, id: prefix + figure.id, panels: figure.panels.filter(hasPoints) }))
    .filter(({ panels }) => panels.length > 0);
}

function hasPoints({ curves }: Panel): boolean {
  return curves.some(({ points }) => points.length > 0);
}

function preservation(drawn: readonly Drawn[]): CurveFigure {
  return {
    ...{ id: "preservation-loss", title: "Preservation loss and its threshold", panelsBy: "layer" },
    explanation:
      "How far each edited layer has moved what it answers to ordinary text: the mean squared change of its output per token, after " +
      "each batch. Lower is better. A thin level line in a run's colour is the threshold that its loss is to stay under, in the long run or after " +
      `every batch; methods without one have no such line.${drawn.some(({ run }) => run.record.method.name === "prune") ? ofPrune : ""}`,
    ...{ x: EDITS, y: "preservation loss", mayBeLogarithmic: true, references: "threshold, in the colour of its run" },
    panels: layerPanels(drawn, (run) => [
      { ...run, points: (layer) => layer.preservationLoss },
      { ...run, label: `${run.label}: threshold`, isReference: true, points: (layer) => layer.threshold },
    ]),
  };
}

const ofPrune = " PRUNE changes its layers once more after the last batch: the tables show that, the curve does not.";

interface LayerFigure {
  id: string;
  title: string;
  y: string;
  explanation: string;
  measure: (layer: LayerReport) => number | null;
  mayBeLogarithmic?: boolean;
  reach?: readonly [number, number];
}

const layerFigureTexts: LayerFigure[] = [
  {
    ...{ id: "queue", title: "Virtual queue", y: "queue q", measure: ({ queue }) => queue, mayBeLogarithmic: true },
    reach: [1, 1.1],
    explanation:
      "LyapLock's queue grows by loss/threshold − 1 after each batch and never falls below 1. While it rises, the loss is over its " +
      "threshold and what is preserved gets more weight; back at 1, the threshold asks for nothing.",
  },
  {
    ...{ id: "weight", title: "Weight of what is preserved", y: "weight μ", measure: ({ weight }) => weight },
    mayBeLogarithmic: true,
    explanation:
      "The weight of the preservation loss, against the editing error, in the solve of each batch. A queue multiplies it. Methods weigh " +
      "different things, or nothing: compare a curve with itself.",
  },
  {
    ...{ id: "update-norm", title: "Size of the updates", y: "update ‖ΔW‖", measure: ({ updateNorm }) => updateNorm },
    mayBeLogarithmic: true,
    explanation:
      "Frobenius norm of what each batch added to the weights of the layer. A collapse often shows here first.",
  },
  {
    ...{
      id: "residual-norm",
      title: "What was to be written",
      y: "residual ‖R‖",
      measure: (layer) => layer.residualNorm,
    },
    mayBeLogarithmic: true,
    explanation:
      "Frobenius norm of the residual of each batch: how far the layers' outputs for the facts were from the values that make the model say them.",
  },
];

function layerFigures(drawn: readonly Drawn[]): CurveFigure[] {
  return layerFigureTexts.map(({ measure, ...texts }) => ({
    ...texts,
    ...{ x: EDITS, panelsBy: "layer" },
    panels: layerPanels(drawn, (run) => [{ ...run, points: measure }]),
  }));
}

type LayerCurve = Omit<Curve, "points"> & { points: (layer: LayerReport) => number | null };

/** A panel for each layer that some run edits. */
function layerPanels(drawn: readonly Drawn[], curvesOf: (run: Drawn) => LayerCurve[]): Panel[] {
  const edited = drawn.flatMap(({ run }) => run.batches.flatMap(({ layers }) => layers.map(({ layer }) => layer)));
  return [...new Set(edited)]
    .sort((a, b) => a - b)
    .map((layer) => ({
      name: String(layer),
      heading: `layer ${layer}`,
      curves: drawn.flatMap((one) =>
        curvesOf(one).flatMap(({ points: measure, label, style, isReference }) => {
          const points = one.run.batches.flatMap(({ edits, layers }) => {
            const own = layers.find((other) => other.layer === layer);
            return own === undefined ? [] : pointAt(edits, measure(own));
          });
          return points.length === 0 ? [] : [{ label, style, isReference, points: thinned(points) }];
        }),
      ),
    }));
}

const shownMetrics = ["efficacy", "generalization", "specificity"] as const;

function metrics(drawn: readonly Drawn[]): CurveFigure {
  const panelsOf = (which: "metrics" | "firstBatch", facts: string) =>
    shownMetrics.map((name) =>
      evaluationPanel(drawn, `${name}, ${facts}`, (line) =>
        line.kind === "metrics" ? line[which][name as keyof Metrics] : undefined,
      ),
    );
  return {
    ...{ id: "metrics", title: "The edits themselves, during the run", panelsBy: "measure" },
    explanation:
      "Efficacy: edited prompts for which the new fact is more probable than the old one; generalization: the same for paraphrases; specificity: " +
      "prompts about other subjects that keep their fact. Of all facts edited so far, and of the first batch, which shows whether early facts " +
      "are still recalled when later ones have been written. Bars are standard errors.",
    ...{ x: EDITS, y: "% of prompts", reach: PERCENT },
    panels: [...panelsOf("metrics", "all facts so far"), ...panelsOf("firstBatch", "first batch")],
  };
}

function recall(drawn: readonly Drawn[]): CurveFigure {
  return {
    ...{ id: "recall", title: "Recall of the facts edited first", panelsBy: "" },
    explanation:
      "Efficacy on the first hundred facts of the run, or on all while there are fewer, as it was measured with the batches: after each one " +
      "of a run that is watched. A curve that falls is a model that forgets what it was taught first. Bars are standard errors.",
    ...{ x: EDITS, y: "% of facts", reach: PERCENT },
    panels: [
      {
        name: "",
        curves: drawn.map(({ run, label, style }) => ({
          ...{ label, style },
          points: thinned(run.batches.flatMap(({ edits, recalled }) => pointAt(edits, recalled))),
        })),
      },
    ],
  };
}

function byBatch(drawn: readonly Drawn[]): CurveFigure {
  return {
    ...{ id: "by-batch", title: "What is left of each batch at the end of the run", panelsBy: "measure" },
    explanation:
      "Measured once, after the last edit: from left to right the facts of the first batch to those of the last. A curve that falls to the left is " +
      "a model that forgets what it was taught first. Bars are standard errors.",
    ...{ x: "place of the facts in the run", y: "% of prompts", reach: PERCENT },
    panels: shownMetrics.map((name) => ({
      name,
      curves: drawn.map(({ run, label, style }) => {
        const points = (run.summary?.byBatch ?? []).flatMap((batch) =>
          pointAt(batch.batch * run.record.asked.batch, batch[name]),
        );
        return { label, style, points: points.length < 2 ? [] : thinned(points) };
      }),
    })),
  };
}

function glue(drawn: readonly Drawn[]): CurveFigure {
  const lines = drawn.flatMap(({ run }) => run.evaluations);
  const tasks = [...new Set(lines.flatMap((line) => (line.kind === "glue" ? Object.keys(line.tasks) : [])))];
  const ofTask = (task: string) => (line: EvaluationLine) =>
    line.kind === "glue" ? line.tasks[task as keyof typeof line.tasks]?.f1 : undefined;
  return {
    ...{ id: "glue", title: "What the model can do besides: GLUE and MMLU", panelsBy: "task" },
    explanation:
      "F1 on questions that have nothing to do with the edits (sentiment, paraphrase, grammar, inference, knowledge). A method that wears " +
      "the model out falls to 0 here.",
    ...{ x: EDITS, y: "F1", reach: [0, 1] },
    panels: [
      evaluationPanel(drawn, "mean of the tasks", (line) => (line.kind === "glue" ? line.f1 : undefined)),
      ...tasks.map((task) => evaluationPanel(drawn, task, ofTask(task))),
    ],
  };
}

function perplexity(drawn: readonly Drawn[]): CurveFigure {
  return {
    ...{ id: "perplexity", title: "Perplexity of ordinary text", panelsBy: "" },
    explanation:
      "How surprised the model is by text that people wrote. Lower is better; it explodes when a model collapses.",
    ...{ x: EDITS, y: "perplexity", mayBeLogarithmic: true },
    panels: [evaluationPanel(drawn, "", (line) => (line.kind === "perplexity" ? line.perplexity : undefined))],
  };
}

function knowledge(drawn: readonly Drawn[]): CurveFigure {
  return {
    ...{ id: "knowledge", title: "Knowledge of facts that nobody edits", panelsBy: "" },
    explanation:
      "Of known facts that are not among the edited ones, the share that the model still completes rightly. Bars are standard errors.",
    ...{ x: EDITS, y: "% of facts", reach: PERCENT },
    panels: [evaluationPanel(drawn, "", (line) => (line.kind === "knowledge" ? line.accuracy : undefined))],
  };
}

function evaluationPanel(
  drawn: readonly Drawn[],
  name: string,
  measure: (line: EvaluationLine) => Statistic | number | undefined,
): Panel {
  const curves = drawn.map(({ run, label, style }) => ({
    ...{ label, style },
    points: thinned(run.evaluations.flatMap((line) => pointAt(line.edits, measure(line)))),
  }));
  return { name, curves: curves.filter(({ points }) => points.length > 0) };
}

const phases = ["values", "keys", "updates", "evaluation"] as const;

function seconds(drawn: readonly Drawn[]): CurveFigure {
  const panels = phases.map((phase) => ({
    name: phase,
    curves: drawn.map(({ run, label, style }) => ({
      ...{ label, style },
      points: thinned(run.batches.flatMap(({ edits, seconds }) => pointAt(edits, seconds[phase]))),
    })),
  }));
  const tookTime = ({ curves }: Panel) => curves.some(({ points }) => points.some(({ y }) => y > 0));
  return {
    ...{ id: "seconds", title: "Seconds per batch", panelsBy: "phase" },
    explanation:
      "Where the time of each batch went: finding the values that make the model say the facts, reading their keys, solving for the updates, " +
      "and measuring in between. A curve that does not rise is a cost that does not grow with the facts edited so far.",
    ...{ x: EDITS, y: "seconds", reach: [0, 0] },
    panels: panels.filter(tookTime),
  };
}

function memory(drawn: readonly Drawn[]): CurveFigure {
  return {
    ...{ id: "memory", title: "Memory", panelsBy: "" },
    explanation: "Memory that the process held after each batch, the model and its second moments included.",
    ...{ x: EDITS, y: "GiB resident", reach: [0, 0] },
    panels: [
      {
        name: "",
        curves: drawn.map(({ run, label, style }) => ({
          ...{ label, style },
          points: thinned(run.batches.flatMap(({ edits, residentBytes }) => pointAt(edits, residentBytes / 2 ** 30))),
        })),
      },
    ],
  };
}

/** No point where nothing was measured. JSON has no infinity: a value that has left all bounds is null. */
function pointAt(x: number, value: Statistic | number | null | undefined): Point[] {
  if (value === null || value === undefined) return [];
  if (typeof value === "number") return Number.isFinite(value) ? [{ x, y: value }] : [];
  return value.count === 0 || !Number.isFinite(value.mean) ? [] : [{ x, y: value.mean, error: value.standardError }];
}
