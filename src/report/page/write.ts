import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { named } from "../../base/files.js";
import { writeWhole } from "../../base/write-whole.js";
import { svgFile } from "../plots/draw.js";
import { placesOf, tracePlotsOf } from "../plots/places.js";
import type { PageMaterial } from "./material.js";
import { reportPage } from "./page.js";

/** Writes the page of some runs and traces. */
export async function writePage(path: string, material: PageMaterial): Promise<void> {
  await writeWhole(path, await reportPage(material));
}

/** Writes the plots of the page, a file each, into a directory that is created where it is missing. */
export async function writePlots(directory: string, { runs, traces = [] }: PageMaterial): Promise<void> {
  await named("create", directory, () => mkdir(directory, { recursive: true }));
  for (const figure of [...placesOf(runs), ...tracePlotsOf(traces)].flatMap(({ figures }) => figures)) {
    await writeWhole(join(directory, `${figure.id}.svg`), svgFile(figure));
  }
}
