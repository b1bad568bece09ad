import { type Command, Option } from "commander";
import { writeWhole } from "../base/write-whole.js";
import {
  caseStudyTables,
  curvesCsv,
  formatTables,
  paperTables,
  type ReportFormat,
  reportFormats,
} from "../report/index.js";
import { readCaseStudies, readRuns } from "../run/index.js";
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
    .summary("the paper's tables from runs, and a page with plots")
    .description(
      "Prints the tables that the given runs can fill, in the paper's layout: methods by model and data set, for each number " +
        "of edits; α; combinations of methods. Then preservation losses, other evaluations and times.",
    )
    .argument("<dir...>", "run directories, or those of run --config")
    .addOption(new Option("--format <name>", "of the tables").choices(reportFormats).default("text"))
    .option(
      "--html <file>",
      "also write a page that explains the runs and shows their plots, tables and texts; it needs no other file",
    )
    .option("--svg <dir>", "also write the plots of that page, a file each")
    .option("--curves <file>", "also write what changed during the runs, batch by batch, as CSV")
    .option("--case-study", "print the texts that the runs have kept, side by side, in place of the tables");
  addCommonOptions(command).action(async (directories: string[], options: ReportOptions) => {
    const { format, curves, caseStudy, html, svg } = options;
    const runs = await readRuns(directories);
    if (curves !== undefined) await writeWhole(curves, curvesCsv(runs));
    const readsTexts = caseStudy || html !== undefined;
    const caseStudies = readsTexts ? await readCaseStudies(runs) : [];
    if (html !== undefined || svg !== undefined) {
      const { writePage, writePlots } = await import("../report/page/write.js"); // no other command needs the plotting library
      if (html !== undefined) await writePage(html, { runs, caseStudies });
      if (svg !== undefined) await writePlots(svg, runs);
    }
    const tables = caseStudy ? caseStudyTables(caseStudies) : paperTables(runs);
    printResult(runtime, options, tables, () => formatTables(tables, format));
  });
}
