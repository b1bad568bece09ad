import fc from "fast-check";
import { expect, it } from "vitest";
import { QueryList } from "../../src/evaluate/queries.js";

it("two targets of one token share a sequence: the prompt", () => {
  const queries = new QueryList();
  expect(queries.add([7, 8, 9], [1])).toEqual({ first: 0, count: 1 });
  expect(queries.add([7, 8, 9], [2])).toEqual({ first: 1, count: 1 });
  const { batch, rows, targets } = queries.pack();
  expect([...batch.tokens]).toEqual([7, 8, 9]);
  expect([...rows]).toEqual([2, 2]);
  expect([...targets]).toEqual([1, 2]);
});

it("every target is asked for where it follows its prompt", () => {
  const ids = fc.array(fc.nat(3), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(fc.array(fc.tuple(ids, ids), { minLength: 1 }), (questions) => {
      const queries = new QueryList();
      const spans = questions.map(([prompt, target]) => queries.add(prompt, target));
      const { batch, rows, targets } = queries.pack();
      questions.forEach(([prompt, target], q) => {
        const { first, count } = spans[q]!;
        expect(count).toBe(target.length);
        for (let i = 0; i < count; i++) {
          const row = rows[first + i]!;
          const start = Math.max(...[...batch.offsets].filter((offset) => offset <= row));
          expect([...batch.tokens.slice(start, row + 1)]).toEqual([...prompt, ...target.slice(0, i)]);
          expect(targets[first + i]).toBe(target[i]);
        }
      });
      const sequences = new Set(
        [...batch.offsets].slice(0, -1).map((start, i) => String(batch.tokens.slice(start, batch.offsets[i + 1]))),
      );
      expect(sequences.size).toBe(batch.offsets.length - 1);
    }),
    { seed: 7 },
  );
});
