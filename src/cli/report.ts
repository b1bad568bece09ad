import { type Command, Option } from "commander";
import { writeWhole } from "../base/write-whole.js";
import {
  caseStudyTables,
  curvesCsv,
  formatTables,
  paperTables,
  type ReportFormat,
  reportFormats,
  traceTables,
} from "../report/index.js";
import { readCaseStudies, readResults } from "../run/index.js";
import { addCommonOptions, type CommonOptions } from "./options.js";
import { printResult, type Runtime } from "./runtime.js";

interface ReportOptions extends CommonOptions {
  format: ReportFormat;
  curves?: string;
  caseStudy?: boolean;
  html?: string;
  svg?: string;
}

export function addReportCommand(program: Command, runtime: Runtime): void {
  const command = program
    .command("report")
    .summary("the paper's tables from runs, causal traces, and a page with plots")
    .description(
      "Prints the tables that the given runs can fill, in the paper's layout: methods by model and data set, for each number " +
        "of edits; α; combinations of methods. Then preservation losses, other evaluations and times. Of causal traces it prints " +
        "what they came to and average indirect effects; the page has their heat maps.",
    )
    .argument("<dir...>", "directories of runs, of run --config and of trace --out, in any order")
    .addOption(new Option("--format <name>", "of the tables").choices(reportFormats).default("text"))
    .option(
      "--html <file>",
      "also write a page that explains the runs and traces and shows their plots, tables and texts; it needs no other file",
    )
    .option("--svg <dir>", "also write the plots of that page, a file each")
    .option("--curves <file>", "also write what changed during the runs, batch by batch, as CSV")
    .option("--case-study", "print the texts that the runs have kept, side by side, in place of the tables");
  addCommonOptions(command).action(async (directories: string[], options: ReportOptions) => {
    const { format, curves, caseStudy, html, svg } = options;
    const { runs, traces } = await readResults(directories);
    if (curves !== undefined) await writeWhole(curves, curvesCsv(runs));
    const readsTexts = caseStudy || html !== undefined;
    const caseStudies = readsTexts ? await readCaseStudies(runs) : [];
    if (html !== undefined || svg !== undefined) {
      const { writePage, writePlots } = await import("../report/page/write.js"); // no other command needs the plotting library
      const material = { runs, caseStudies, traces };
      if (html !== undefined) await writePage(html, material);
      if (svg !== undefined) await writePlots(svg, material);
    }
    const tables = caseStudy ? caseStudyTables(caseStudies) : [...paperTables(runs), ...traceTables(traces)];
    printResult(runtime, options, tables, () => formatTables(tables, format));
  });
}
