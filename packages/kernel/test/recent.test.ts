import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Ring } from '../src/recent.ts';
import { UndoLog } from '../src/undo.ts';

test('Ring keeps the newest, oldest first, and undoes pushes over its own cuts', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 9 })), { maxLength: 40 }), (moves) => {
      const ring = new Ring<number>(4);
      let model: number[] = [];
      let next = 0;
      for (const [isKept, count] of moves) {
        const undo = new UndoLog();
        const pushed = Array.from({ length: count }, () => next++);
        for (const n of pushed) ring.push(n, undo);
        if (isKept) model = [...model, ...pushed].slice(-4);
        else undo.rollback();
        expect(ring.items).toEqual(model);
      }
    }),
  );
});
