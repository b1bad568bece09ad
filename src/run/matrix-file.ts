import { basename, dirname, join, resolve } from "node:path";
import { z } from "zod";
import { describeIssues, readJsonFile } from "../base/json-file.js";
import { lyapLockBases, lyapLockBounds } from "../edit/methods/index.js";
import { LyaplockError } from "../errors.js";
import { methodNames } from "./method.js";
import { absolutePlaces, type ExperimentOptions } from "./request.js";

type RunOptions = Omit<ExperimentOptions, "directory" | "resume">;

/** One run of a matrix: its name, which is also that of its directory, and what it is asked. */
export interface PlannedRun {
  name: string;
  options: RunOptions;
}

/** The one method whose runs differ in α, bound and base. */
const VARIED = "lyaplock";

/** Like `z.strictObject`; whoever misspells a field is told which there are. */
function fields<Shape extends z.ZodRawShape>(shape: Shape) {
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === "unrecognized_keys"
        ? `there is no ${issue.keys.join(", ")}; there are ${Object.keys(shape).join(", ")}`
        : undefined,
  });
}

/** A value, or a list of them. */
function oneOrMore<Item extends z.ZodType>(item: Item) {
  return z.preprocess((value) => (Array.isArray(value) ? value : [value]), z.array(item).nonempty());
}

/** A name alone stands for `{ [field]: name }`. */
function nameOr<Entry extends z.ZodType>(field: string, entry: Entry) {
  return z.preprocess((value) => (typeof value === "string" ? { [field]: value } : value), entry);
}

/** Options that make runs of their own. */
type Axis = "model" | "dataset" | "method" | "edits" | "alpha" | "bound" | "base";

const text = z.string().min(1);
const caseStudy = z.strictObject({
  cases: z.union([z.int().positive(), z.array(z.int()).nonempty()]),
  tokens: z.int().positive().optional(),
  topK: z.int().positive().optional(),
});

/** What a file may say of all runs, or of those of one model, data set or method. */
const settings = {
  applyDelta: z.array(text).optional(),
  removeDelta: z.array(text).optional(),
  weights: z.enum(["f32", "bf16"]).optional(),
  offset: z.int().nonnegative().optional(),
  shuffle: z.boolean().optional(),
  batch: z.int().positive().optional(),
  seed: z.int().nonnegative().optional(),
  layers: z.union([z.array(z.int().nonnegative()).nonempty(), z.literal("auto")]).optional(),
  known: z.string().optional(),
  hparams: text.optional(),
  contextTemplates: text.optional(),
  moments: text.optional(),
  text: oneOrMore(text).optional(),
  metricsBefore: z.boolean().optional(),
  fluency: z.boolean().optional(),
  consistency: text.optional(),
  publishedZsre: z.boolean().optional(),
  skipBad: z.boolean().optional(),
  dtype: z.enum(["as-is", "f32", "f16", "bf16"]).optional(),
  glue: text.optional(),
  publishedRteLabels: z.boolean().optional(),
  perplexity: text.optional(),
  knowledge: text.optional(),
  glueEvery: z.int().positive().optional(),
  evalEvery: z.int().positive().optional(),
  caseStudy: caseStudy.optional(),
} satisfies Record<Exclude<keyof RunOptions, Axis>, z.ZodType>;

/** What it may say of methods that have the option; a list makes a run of each. */
const variants = {
  alpha: oneOrMore(z.number().gte(1)).optional(),
  bound: oneOrMore(z.enum(lyapLockBounds)).optional(),
  base: oneOrMore(z.enum(lyapLockBases)).optional(),
};

const name = z
  .string()
  .regex(/^[\w+-][\w.+-]*$/, "must be letters, digits and - _ + .")
  .optional();
const model = fields({ name, model: text, ...settings });
const dataset = fields({ name, dataset: text, ...settings });
const method = fields({ name, method: z.enum(methodNames), ...variants, ...settings }).superRefine((entry, context) => {
  if (entry.method === VARIED) return;
  for (const option of (["alpha", "bound", "base"] as const).filter((option) => entry[option] !== undefined)) {
    context.addIssue({
      code: "custom",
      path: [option],
      message: `is an option of ${VARIED}, and not of ${entry.method}`,
    });
  }
});

const matrixFile = fields({
  models: oneOrMore(nameOr("model", model)),
  datasets: oneOrMore(nameOr("dataset", dataset)),
  methods: oneOrMore(nameOr("method", method)),
  edits: oneOrMore(z.int().positive()).optional(),
  ...variants,
  ...settings,
});

type MatrixFile = z.infer<typeof matrixFile>;
type Model = z.infer<typeof model>;
type Dataset = z.infer<typeof dataset>;
type Method = z.infer<typeof method>;
/** One value of each list of `variants`. */
type Variant = { [Name in "alpha" | "bound" | "base"]?: NonNullable<Method[Name]>[number] };

/**
 * The runs that a file describes: every method on every data set and model, for every number of edits, and LyapLock for every
 * α, bound and base. What is said of a method goes before what is said of a data set, that before what is said of a
 * model, and that before what is said of all.
 *
 * Places are relative to the file, but for those that begin with "{data}/".
 *
 * @param data - What "{data}" stands for; `data` beside the file if left out.
 * @throws ERR_FILE; ERR_INVALID_ARGUMENT naming the field, and what could stand there
 */
export async function readMatrix(file: string, data?: string): Promise<PlannedRun[]> {
  const directory = dirname(resolve(file));
  const json = replaceData(await readJsonFile(file, "ERR_INVALID_ARGUMENT"), resolve(data ?? join(directory, "data")));
  const { success, data: matrix, error } = matrixFile.safeParse(json);
  if (!success) throw new LyaplockError("ERR_INVALID_ARGUMENT", `${file}: ${describeIssues(error)}`);

  const runs = plannedRuns(matrix).map(({ name, options }) => ({ name, options: absolutePlaces(options, directory) }));
  const names = runs.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) < index);
  if (twice === undefined) return runs;
  const what = `${file}: two runs would be called ${twice}. Give the models, data sets or methods that differ a "name" each.`;
  throw new LyaplockError("ERR_INVALID_ARGUMENT", what);
}

/** Puts a directory where texts begin with "{data}/". */
function replaceData(json: unknown, data: string): unknown {
  const replaced = JSON.stringify(json, (_, value) =>
    typeof value === "string" ? value.replace(/^(\w+:)?\{data\}\//, (_, kind = "") => `${kind}${data}/`) : value,
  );
  return JSON.parse(replaced);
}

function plannedRuns({ models, datasets, methods, edits, ...rest }: MatrixFile): PlannedRun[] {
  const { alpha, bound, base, ...shared } = rest;
  const runs: PlannedRun[] = [];
  for (const model of models) {
    for (const dataset of datasets) {
      for (const number of edits ?? [undefined]) {
        for (const method of methods) {
          for (const variant of variantsOf({ alpha, bound, base, ...method })) {
            const name = nameOf(
              model,
              dataset,
              method,
              variant,
              edits !== undefined && edits.length > 1 ? number : undefined,
            );
            runs.push({
              name,
              options: { ...shared, ...withoutNames(model, dataset, method), ...variant, edits: number },
            });
          }
        }
      }
    }
  }
  return runs;
}

function withoutNames(model: Model, dataset: Dataset, method: Method): RunOptions {
  const { name: _, alpha: _alpha, bound: _bound, base: _base, ...options } = { ...model, ...dataset, ...method };
  return options as RunOptions;
}

/** Such as "atlas-lyaplock+rect-alpha60". */
function nameOf(
  model: Model,
  dataset: Dataset,
  method: Method,
  { alpha, bound, base }: Variant,
  edits?: number,
): string {
  const about = [model.name ?? modelNameOf(model.model), dataset.name ?? datasetNameOf(dataset.dataset)];
  const parts = [
    ...new Set(about), // the built-in model and its data set have one name
    [method.name ?? method.method, ...(base === undefined ? [] : [base])].join("+"),
    ...(alpha === undefined ? [] : [`alpha${alpha}`]),
    ...(bound === "each-batch" ? [bound] : []),
    ...(edits === undefined ? [] : [`${edits}edits`]),
  ];
  return parts.join("-");
}

/** Every combination of the values that the lists have. */
function variantsOf({ method, alpha = [], bound = [], base = [] }: Method): Variant[] {
  if (method !== VARIED) return [{}];
  const each = <Value>(values: Value[]) => (values.length === 0 ? [undefined] : values);
  const all = each(base).flatMap((base) =>
    each(bound).flatMap((bound) => each(alpha).map((alpha) => ({ base, bound, alpha }))),
  );
  return all as Variant[];
}

/** Of a directory, file, or repository on a hub, its last part. */
function modelNameOf(source: string): string {
  const [name] = basename(source.replace(/^builtin:/, ""))
    .replace(/\.gguf$/, "")
    .split("@");
  return name!;
}

/** "counterfact" of "counterfact:FILE". */
function datasetNameOf(spec: string): string {
  return spec.replace(/:.*$/s, "");
}
