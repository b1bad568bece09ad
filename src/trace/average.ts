import type { TraceKind } from "../native/addon.js";
import type { TracedFact } from "./trace.js";

/** What a token is in its prompt. A subject of one token has it as its first and as its last. */
export const tokenRoles = [
  "firstSubject",
  "middleSubject",
  "lastSubject",
  "firstSubsequent",
  "further",
  "last",
] as const;
export type TokenRole = (typeof tokenRoles)[number];

/** A mean with its 95 % band, 1.96 σ / √count to either side; null for less than two of them. */
export interface AverageEffect {
  mean: number;
  band: number | null;
}

/** Average indirect effects by layer, over all tokens of a role. */
export interface RoleEffects {
  /** Tokens. */
  count: number;
  /** [layers] both; bands null for less than two tokens. */
  mean: number[];
  band: number[] | null;
}

export interface AveragedTrace {
  facts: number;
  high: AverageEffect;
  low: AverageEffect;
  /** high − low. */
  totalEffect: AverageEffect;
  /** Roles that occur. */
  kinds: Partial<Record<TraceKind, Partial<Record<TokenRole, RoleEffects>>>>;
}

/** Averages over facts, which need not be kept. */
export class TraceAverages {
  private readonly effects = new Map<TraceKind, Map<TokenRole, Moments>>();
  private readonly totals = new Moments(3); // high, low, their difference

  add({ high, low, tokens, subjectRange, scores }: TracedFact): void {
    this.totals.add([high, low, high - low]);
    const roles = rolesOf(tokens.length, subjectRange);
    for (const [kind, rows] of Object.entries(scores) as [TraceKind, number[][]][]) {
      for (const { role, token } of roles) this.addEffect(kind, role, rows[token]!, low);
    }
  }

  /** Of scores that have the subject's last token alone. */
  addLastSubjectToken({ high, low, scores }: TracedFact): void {
    this.totals.add([high, low, high - low]);
    for (const [kind, [row]] of Object.entries(scores) as [TraceKind, number[][]][]) {
      this.addEffect(kind, "lastSubject", row!, low);
    }
  }

  /** @throws RangeError before the first fact */
  result(): AveragedTrace {
    const { count, mean, band } = this.totals.summary();
    const total = (i: number): AverageEffect => ({ mean: mean[i]!, band: band?.[i] ?? null });
    const kinds: AveragedTrace["kinds"] = {};
    for (const [kind, roles] of this.effects) {
      kinds[kind] = {};
      for (const role of tokenRoles) {
        const moments = roles.get(role);
        if (moments !== undefined) kinds[kind][role] = moments.summary();
      }
    }
    return { facts: count, high: total(0), low: total(1), totalEffect: total(2), kinds };
  }

  private addEffect(kind: TraceKind, role: TokenRole, scores: readonly number[], low: number): void {
    const roles = this.effects.get(kind) ?? new Map<TokenRole, Moments>();
    const moments = roles.get(role) ?? new Moments(scores.length);
    moments.add(scores.map((score) => score - low));
    this.effects.set(kind, roles.set(role, moments));
  }
}

/** Every role with the tokens that have it, as the published averages count them. */
function rolesOf(tokens: number, [begin, end]: [number, number]): { role: TokenRole; token: number }[] {
  const all = (role: TokenRole, from: number, to: number) =>
    Array.from({ length: Math.max(0, to - from) }, (_, i) => ({ role, token: from + i }));
  return [
    ...all("firstSubject", begin, begin + 1),
    ...all("middleSubject", begin + 1, end - 1),
    ...all("lastSubject", end - 1, end),
    ...all("firstSubsequent", end, Math.min(end + 1, tokens)),
    ...all("further", end + 1, tokens - 1),
    ...all("last", tokens - 1, tokens),
  ];
}

/** Running means and sums of squared deviations (Welford) of vectors. */
class Moments {
  private count = 0;
  private readonly mean: Float64Array;
  private readonly squares: Float64Array;

  constructor(length: number) {
    this.mean = new Float64Array(length);
    this.squares = new Float64Array(length);
  }

  add(values: readonly number[]): void {
    this.count++;
    for (const [i, value] of values.entries()) {
      const before = value - this.mean[i]!;
      this.mean[i]! += before / this.count;
      this.squares[i]! += before * (value - this.mean[i]!);
    }
  }

  summary(): RoleEffects {
    const { count, mean, squares } = this;
    if (count === 0) throw new RangeError("nothing was traced");
    const band = count < 2 ? null : Array.from(squares, (sum) => 1.96 * Math.sqrt(sum / (count - 1) / count));
    return { count, mean: [...mean], band };
  }
}
