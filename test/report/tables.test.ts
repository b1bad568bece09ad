import { describe, expect, it } from "vitest";
import type { Metrics } from "../../src/evaluate/index.js";
import { curvesCsv, formatTables, paperTables, type ReportTable } from "../../src/report/index.js";
import { caseStudyTables } from "../../src/report/tables/case-study.js";
import type { EvaluationLine, RunFiles } from "../../src/run/index.js";

const mean = (value: number) => ({ mean: value, standardError: 0.5, count: 10 });

interface Asked {
  method: string;
  alpha?: number;
  base?: string;
  bound?: string;
  model?: string;
  dataset?: string;
  edits?: number;
  efficacy?: number;
  before?: boolean;
  evaluations?: object[];
  /** Preservation loss after each batch; the threshold is α. */
  losses?: number[];
  /** After the run's end, where that changes it. */
  endLoss?: number;
  metrics?: Partial<Metrics>;
  finished?: boolean;
}

/** A run as its directory would have it, so far as tables read it. */
function run(name: string, asked: Asked): RunFiles {
  const { model = "m", dataset = "counterfact", edits = 20, efficacy = 50, before = false, losses = [1, 2] } = asked;
  const { method, alpha, base, bound, metrics, finished = true, evaluations = [] } = asked;
  const after = { efficacy: mean(efficacy), generalization: mean(40), specificity: mean(30), ...metrics };
  const layersAt = (loss: number) => [
    {
      ...{ layer: 3, preservationLoss: loss, baseLoss: losses[0]!, queue: alpha === undefined ? null : 1 },
      ...{ threshold: alpha ?? null, weight: null },
    },
  ];
  const options = Object.fromEntries(Object.entries({ alpha, base, bound }).filter(([, value]) => value !== undefined));
  return {
    name,
    directory: `/runs/${name}`,
    record: {
      ...{ asked: { edits, batch: 10 }, model: { name: model }, dataset: { name: dataset } },
      ...{ method: { name: method, ...options }, hyperparameters: { alpha: 60 } },
    },
    batches: losses.map((loss, i) => ({ batch: i + 1, edits: 10 * (i + 1), layers: layersAt(loss) })),
    evaluations: evaluations as EvaluationLine[],
    summary: finished
      ? {
          ...{ method, edits, before: before ? { ...after, efficacy: mean(1) } : null, after },
          layers: layersAt(asked.endLoss ?? losses.at(-1)!),
          seconds: { moments: 1, values: 2, keys: 3, updates: 4, evaluation: 5, saving: 6, total: 21 },
        }
      : null,
  } as unknown as RunFiles;
}

function titles(runs: RunFiles[]): string[] {
  return paperTables(runs).map(({ title }) => title);
}

function tableOf(runs: RunFiles[], start: string): ReportTable {
  return paperTables(runs).find(({ title }) => title.startsWith(start))!;
}

/** The first two cells of every row, and the mean of the third. */
function firstCells({ rows }: ReportTable): unknown[] {
  return rows.map(([one, two, three]) => [one, two, (three as { mean: number } | null)?.mean ?? three]);
}

describe("the main table", () => {
  it("has a row for the unedited model and each method of every model, in the paper's order", () => {
    const runs = [
      run("a", { method: "lyaplock", alpha: 60, efficacy: 90, before: true }),
      run("b", { method: "memit", efficacy: 70 }),
      run("c", { method: "ft", efficacy: 20 }),
      run("d", { method: "memit", model: "n", efficacy: 60 }),
    ];
    expect(firstCells(tableOf(runs, "20 edits"))).toEqual([
      ["m", "unedited", 1],
      ["m", "FT", 20],
      ["m", "MEMIT", 70],
      ["m", "LyapLock", 90],
      ["n", "MEMIT", 60],
    ]);
  });

  it("puts data sets side by side, with the metrics that each has", () => {
    const generated = { fluency: mean(600), consistency: mean(33) };
    const table = tableOf(
      [
        run("a", { method: "memit", efficacy: 70, metrics: generated }),
        run("b", { method: "memit", efficacy: 55, dataset: "zsre" }),
      ],
      "20 edits",
    );
    expect(table.columns.slice(2).map(({ group, heading }) => `${group} ${heading}`)).toEqual([
      ...["CounterFact Eff", "CounterFact Gen", "CounterFact Spe", "CounterFact Flu", "CounterFact Consis"],
      ...["ZsRE Eff", "ZsRE Gen", "ZsRE Spe"],
    ]);
    expect(table.rows).toHaveLength(1);
    expect(table.rows[0]!.slice(2).map((cell) => (cell as { mean: number }).mean)).toEqual([
      ...[70, 40, 30, 600, 33],
      ...[55, 40, 30],
    ]);
  });

  it("is one for each number of edits, the most first", () => {
    const runs = [20, 50].map((edits) => run(`${edits}`, { method: "memit", edits }));
    expect(titles(runs).slice(0, 2)).toEqual(["50 edits, in batches of 10", "20 edits, in batches of 10"]);
  });

  it("takes of several α that of the hyperparameters, and tells alike runs apart by their names", () => {
    const sweep = [20, 60].map((alpha) => run(`alpha${alpha}`, { method: "lyaplock", alpha, efficacy: alpha }));
    const other = run("b", { method: "memit", efficacy: 70 });
    expect(firstCells(tableOf([...sweep, other], "20 edits"))).toEqual([
      ["m", "MEMIT", 70],
      ["m", "LyapLock", 60],
    ]);
    const again = run("again", { method: "memit", efficacy: 71 });
    expect(firstCells(tableOf([other, again], "20 edits"))).toEqual([
      ["m", "MEMIT (b)", 70],
      ["m", "MEMIT (again)", 71],
    ]);
  });
});

describe("the other tables", () => {
  it("show LyapLock by α, and nothing else of a mere sweep", () => {
    const runs = [60, 20, 100].map((alpha) => run(`${alpha}`, { method: "lyaplock", alpha, efficacy: alpha / 2 }));
    expect(titles(runs).filter((title) => title.includes("20 edits"))).toEqual(["LyapLock by α, 20 edits"]);
    expect(firstCells(tableOf(runs, "LyapLock by α"))).toEqual([
      ["m", 20, 10],
      ["m", 60, 30],
      ["m", 100, 50],
    ]);
  });

  it("show combinations beside their base, with what they add", () => {
    const runs = [
      run("a", { method: "rect", efficacy: 30 }),
      run("b", { method: "lyaplock", alpha: 60, base: "rect", efficacy: 65 }),
    ];
    expect(firstCells(tableOf(runs, "LyapLock on"))).toEqual([
      ["m", "RECT", 30],
      ["m", "LyapLock + RECT", 65],
      ["m", "difference", 35],
    ]);
    // In the main table the combination has no row.
    expect(firstCells(tableOf(runs, "20 edits"))).toEqual([["m", "RECT", 30]]);
  });

  it("show how preservation losses ended, of runs under way too", () => {
    const losses = Array.from({ length: 12 }, (_, i) => i + 1);
    const runs = [
      run("a", { method: "lyaplock", alpha: 10, losses }),
      run("b", { method: "memit", losses: [2, 5], finished: false }),
      run("c", { method: "prune", losses: [2, 5], endLoss: 3 }),
    ];
    const { rows } = tableOf(runs, "Preservation");
    expect(rows).toEqual([
      ["m", "counterfact", "MEMIT", null, 20, 3, 2, 5, 2.5, null, null, null, null],
      ["m", "counterfact", "PRUNE", null, 20, 3, 2, 3, 1.5, null, null, null, null],
      ["m", "counterfact", "LyapLock", 10, 120, 3, 1, 12, 12, 10, "30–120 %", "120 %", 1],
    ]);
    expect(titles([runs[1]!])).toEqual([expect.stringContaining("Preservation")]);
  });

  it("show what was measured before and after", () => {
    const evaluations = [
      { edits: 0, kind: "glue", f1: 0.5, tasks: {} },
      { edits: 0, kind: "knowledge", accuracy: mean(80) },
      { edits: 10, kind: "knowledge", accuracy: mean(70) },
      { edits: 20, kind: "glue", f1: 0.4, tasks: {} },
      { edits: 20, kind: "knowledge", accuracy: mean(60) },
    ];
    const { rows } = tableOf([run("a", { method: "memit", evaluations })], "What the edits are not about");
    expect(rows.map((row) => row.slice(3))).toEqual([
      ["GLUE, mean F1", 0.5, 0.4, "80.0 %", 20],
      ["knowledge of other facts, %", 80, 60, "75.0 %", 20],
    ]);
  });

  it("show texts of the same prompt side by side", () => {
    const example = { caseId: 7, prompt: "The capital of Peru is", target: " Paris", was: "Lima,\nwhich" };
    const tables = caseStudyTables([
      { run: run("a", { method: "lyaplock", alpha: 60 }), examples: [{ ...example, now: "Paris." }] },
      { run: run("b", { method: "memit" }), examples: [{ ...example, now: "Paris Paris" }] },
      { run: run("c", { method: "rect", finished: false }), examples: [{ ...example, now: null }] },
    ]);
    expect(tables).toHaveLength(1);
    expect(tables[0]!.title).toContain('"The capital of Peru is" shall be "Paris"');
    expect(tables[0]!.rows).toEqual([
      ["unedited", "Lima, which"],
      ["MEMIT", "Paris Paris"],
      ["LyapLock", "Paris."],
    ]);
  });
});

describe("formatTables", () => {
  const table: ReportTable = {
    title: "A title",
    columns: [
      { heading: "method" },
      { group: "CounterFact", heading: "Eff" },
      { group: "CounterFact", heading: "Gen" },
    ],
    rows: [
      ["MEMIT", { mean: 97.84, standardError: 0.66, count: 5 }, null],
      ['a, "b" | c', 12.345, { mean: 1, standardError: 0, count: 0 }],
    ],
  };

  it("writes text with the data set above its columns", () => {
    expect(formatTables([table], "text").split("\n")).toEqual([
      "A title",
      "",
      "            CounterFact",
      "method              Eff  Gen",
      "────────────────────────────",
      "MEMIT        97.8 ± 0.7    –",
      'a, "b" | c        12.35    –',
    ]);
  });

  it("writes Markdown", () => {
    expect(formatTables([table], "markdown").split("\n")).toEqual([
      "**A title**",
      "",
      "| method | CounterFact: Eff | CounterFact: Gen |",
      "| --- | ---: | ---: |",
      "| MEMIT | 97.8 ± 0.7 | – |",
      '| a, "b" \\| c | 12.35 | – |',
    ]);
  });

  it("writes CSV with means and errors as they are", () => {
    expect(formatTables([table], "csv").split("\n")).toEqual([
      "A title",
      "method,CounterFact Eff,CounterFact Eff standard error,CounterFact Gen,CounterFact Gen standard error",
      "MEMIT,97.84,0.66,,",
      '"a, ""b"" | c",12.345,,,',
    ]);
  });
});

describe("curvesCsv", () => {
  it("has a line per batch and layer, and one per figure measured", () => {
    const evaluations = [
      { edits: 10, kind: "metrics", metrics: { efficacy: mean(90), score: 3 }, firstBatch: { efficacy: mean(80) } },
      { edits: 20, kind: "knowledge", accuracy: mean(60) },
    ];
    const lines = curvesCsv([run("a", { method: "lyaplock", alpha: 4, losses: [1, 5], evaluations })]).split("\n");
    expect(lines).toEqual([
      "run,model,dataset,method,edits,layer,preservation loss,threshold,queue,weight,measure,value",
      "a,m,counterfact,lyaplock,10,3,1,4,1,,,",
      "a,m,counterfact,lyaplock,20,3,5,4,1,,,",
      "a,m,counterfact,lyaplock,10,,,,,,efficacy,90",
      "a,m,counterfact,lyaplock,10,,,,,,efficacy of the first batch,80",
      "a,m,counterfact,lyaplock,20,,,,,,knowledge,60",
      "",
    ]);
  });
});
