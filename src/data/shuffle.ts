import { uniformInt } from "pure-rand/distribution/uniformInt";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";

/** Puts the items into an order that the seed alone decides, each order as likely as any other (Fisher and Yates). */
export function shuffle(items: unknown[], seed: number): void {
  const random = xoroshiro128plus(seed);
  for (let last = items.length - 1; last > 0; last--) {
    const chosen = uniformInt(random, 0, last);
    [items[last], items[chosen]] = [items[chosen], items[last]];
  }
}
