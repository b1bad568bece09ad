import type { GgufHeader } from "./header.js";

/** The tensor with which LLaMA 3.1 and its descendants scale their rotary angles. */
const FACTORS = "rope_freqs.weight";

/** What all published models that are scaled so have in their config.json, but for the factor. */
const LLAMA3 = { low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 8192 };

/**
 * `rope_scaling` of config.json: null where angles are not scaled.
 *
 * @param base of the angles, θ.
 * @throws ERR_UNSUPPORTED for a scaling that config.json has no words for
 */
export async function rotaryScaling(
  header: GgufHeader,
  architecture: string,
  headWidth: number,
  base: number,
): Promise<Record<string, unknown> | null> {
  if (header.shape(FACTORS) !== undefined) return llama3Scaling(header, headWidth, base);
  const key = (name: string) => `${architecture}.rope.scaling.${name}`;
  const type = header.find("text", key("type")) ?? "none";
  if (type === "none") return null;
  const positions = header.find("number", key("original_context_length"));
  return {
    rope_type: type,
    factor: header.get("number", key("factor")),
    ...(positions === undefined ? {} : { original_max_position_embeddings: positions }),
  };
}

/** The file has the divisor of every angle and not the numbers it was made of: those are recognised by what they give. */
async function llama3Scaling(header: GgufHeader, headWidth: number, base: number): Promise<Record<string, unknown>> {
  const found = await header.vector(FACTORS);
  const factor = found.reduce((a, b) => Math.max(a, b), 0);
  const scaling = { rope_type: "llama3", factor, ...LLAMA3 };
  const divisorOf = (i: number) => llama3Divisor(base ** ((-2 * i) / headWidth), factor);
  const equal = found.length === headWidth / 2 && found.every((value, i) => Math.abs(value / divisorOf(i) - 1) < 1e-3);
  if (equal) return scaling;
  throw header.error(
    `its rotary angles are scaled by ${FACTORS} in a way that is not that of LLaMA 3`,
    "ERR_UNSUPPORTED",
  );
}

/** By how much the angle of one frequency is divided (transformers, modeling_rope_utils.py, "llama3"). */
function llama3Divisor(frequency: number, factor: number): number {
  const { low_freq_factor: low, high_freq_factor: high, original_max_position_embeddings: positions } = LLAMA3;
  const turns = (positions * frequency) / (2 * Math.PI); // over all the positions that the model was first trained with
  if (turns > high) return 1;
  if (turns < low) return factor;
  const share = (turns - low) / (high - low);
  return 1 / ((1 - share) / factor + share);
}
