import { z } from "zod";
import type { RotaryPositions } from "../../native/addon.js";
import { positionCount, rotaryBase } from "./bounds.js";
import { refuse } from "./refuse.js";

const factor = z.number().positive().max(1e6);

/** One of the objects below. */
const rotary = z.looseObject({
  rope_type: z.string().optional(),
  type: z.string().optional(),
  rope_theta: rotaryBase.optional(),
  partial_rotary_factor: z.number().optional(),
  factor: factor.optional(),
  low_freq_factor: factor.optional(),
  high_freq_factor: factor.optional(),
  original_max_position_embeddings: positionCount.optional(),
});

/** How angles are made: `rope_parameters` of transformers 5, `rope_scaling` (with `type` in old files) of transformers 4. */
export const rotaryFields = {
  rope_theta: rotaryBase.nullish(),
  rope_scaling: rotary.nullish(),
  rope_parameters: rotary.nullish(),
};

/**
 * The rotation of heads of `width` that a configuration asks for.
 *
 * @throws ERR_UNSUPPORTED naming a kind that native/model does not compute; a z.ZodError where its numbers are missing
 */
export function readRotary(
  config: z.infer<z.ZodObject<typeof rotaryFields>>,
  width: number,
  defaultBase = 10_000,
): RotaryPositions {
  const parameters = config.rope_parameters ?? config.rope_scaling ?? {};
  const kind = parameters.rope_type ?? parameters.type ?? "default";
  const share = parameters.partial_rotary_factor ?? 1;
  refuse(share !== 1, `partial_rotary_factor ${share}: heads of this family that are rotated in part`);
  const base = config.rope_parameters?.rope_theta ?? config.rope_theta ?? defaultBase;
  switch (kind) {
    case "default":
      return { width, base, scaling: "none" };
    case "linear":
      return { width, base, scaling: "linear", factor: linear.parse(parameters).factor };
    case "llama3": {
      const numbers = llama3.parse(parameters);
      return {
        width,
        base,
        scaling: "llama3",
        factor: numbers.factor,
        lowFrequencyFactor: numbers.low_freq_factor,
        highFrequencyFactor: numbers.high_freq_factor,
        originalPositions: numbers.original_max_position_embeddings,
      };
    }
    default:
      refuse(true, `rope_type "${kind}": a scaling of rotary angles`);
      throw new Error("unreachable");
  }
}

const linear = z.looseObject({ factor });
const llama3 = z
  .looseObject({
    factor,
    low_freq_factor: factor,
    high_freq_factor: factor,
    original_max_position_embeddings: positionCount,
  })
  .refine((numbers) => numbers.high_freq_factor > numbers.low_freq_factor, {
    message: "must be larger than low_freq_factor",
    path: ["high_freq_factor"],
  });
