import type { LayerReport } from "../edit/report.js";
import { figure, table } from "./table.js";

/** How the preservation loss of a layer stands to its threshold. */
export type Standing = "within" | "held" | "easing" | "pulled back" | "unbounded";

/**
 * Over its threshold a queue can only have grown; under it, one that is not at its floor is shrinking. Without a queue the
 * weight holds a loss that would be over its threshold just under it.
 */
export function standing({ preservationLoss, threshold, queue }: LayerReport): Standing {
  if (threshold === null) return "unbounded";
  if (queue === null) return preservationLoss >= 0.999 * threshold ? "held" : "within";
  if (preservationLoss > threshold) return "pulled back";
  return queue > 1 ? "easing" : "within";
}

/**
 * What happened to what the model knew before, per edited layer, and in words.
 *
 * @param covarianceWeight - λ: the next batch would be solved with the weight λ · queue.
 */
export function describeLayers(layers: readonly LayerReport[], covarianceWeight: number): string {
  const rows = layers.map((layer) => [
    String(layer.layer),
    figure(layer.preservationLoss),
    orNone(layer.threshold),
    orNone(layer.queue),
    orNone(layer.weight),
    inWords(layer, covarianceWeight * (layer.queue ?? 1)),
  ]);
  const columns = ["layer", "preservation loss", "threshold", "queue", "weight"].map((heading) => ({
    heading,
    align: "right" as const,
  }));
  return `${table([...columns, { heading: "" }], rows)}\n\n${verdict(layers)}`;
}

function inWords(layer: LayerReport, nextWeight: number): string {
  const weights = `weight ${orNone(layer.weight)}, next ${figure(nextWeight)}`;
  switch (standing(layer)) {
    case "unbounded":
      return `${figure(layer.preservationLoss / layer.baseLoss)} times that of the first batch`;
    case "within":
      return "at or under its threshold";
    case "held":
      return `held at its threshold by the weight (least ${figure(nextWeight)})`;
    case "easing":
      return `at or under its threshold; the queue is easing off (${weights})`;
    case "pulled back":
      return `over its threshold; the queue is pulling it back (${weights})`;
  }
}

function orNone(value: number | null): string {
  return value === null ? "–" : figure(value);
}

function verdict(layers: readonly LayerReport[]): string {
  if (layers.every((layer) => standing(layer) === "unbounded")) return "Preservation: nothing bounds the loss.";
  const over = layers.filter((layer) => standing(layer) === "pulled back");
  if (over.length === 0) {
    return "Preservation: the loss of every layer ended at or under its threshold.";
  }
  const which = over.map(({ layer }) => layer).join(", ");
  return (
    `Preservation: the loss ended over its threshold in ${over.length} of ${layers.length} layers (${which}). There the queue is ` +
    "above 1 and the weight of what is preserved is rising, which pulls the loss back in the next batches."
  );
}
