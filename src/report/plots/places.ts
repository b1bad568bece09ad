import type { RunFiles, TraceFiles } from "../../run/index.js";
import { groupBy } from "../tables/labels.js";
import type { Figure } from "./figure.js";
import { figuresOf } from "./figures.js";
import { traceFigures } from "./trace-figures.js";

/** Runs on the same model and data set, which can be overlaid. */
export interface Place {
  /** Of the model and the data set. */
  model: string;
  dataset: string;
  figures: Figure[];
}

/** The figures of some runs, by model and data set. */
export function placesOf(runs: readonly RunFiles[]): Place[] {
  const groups = [...groupBy(runs, ({ record }) => JSON.stringify([record.model.name, record.dataset.name])).values()];
  return groups.map((members, index) => {
    const { model, dataset } = members[0]!.record;
    const name = `${model.name}-${dataset.name}`.replace(/[^\w.]+/g, "-");
    const prefix = groups.length === 1 ? "" : `${index + 1}-${name}-`;
    return { model: model.name, dataset: dataset.name, figures: figuresOf(members, prefix) };
  });
}

/** A trace, by the name of its directory. */
export interface TracePlots {
  name: string;
  figures: Figure[];
}

/** The figures of some traces, each by itself. */
export function tracePlotsOf(traces: readonly TraceFiles[]): TracePlots[] {
  return traces.map((trace, index) => {
    const prefix = traces.length === 1 ? "trace-" : `trace-${index + 1}-`;
    return { name: trace.name, figures: traceFigures(trace, prefix) };
  });
}
