import { describe, expect, test } from 'vitest';
import { CommitPace } from '../src/commit-pace.ts';

const MS = 1_000_000n;

/** Long enough for the means to have settled. */
function paceOf({ inputNs, commitNs }: { readonly inputNs: bigint; readonly commitNs: bigint }): CommitPace {
  const pace = new CommitPace();
  for (let i = 0; i < 200; i++) {
    pace.applied(10, inputNs * 10n);
    pace.committed(commitNs);
  }
  return pace;
}

describe('whether a commit pays although more is waiting', () => {
  test('a large group goes whatever it costs', () => {
    const pace = paceOf({ inputNs: 1n, commitNs: 100n * MS });
    expect(pace.isWorthCommitting({ applied: 32, waiting: 1 })).toBe(true);
    expect(pace.isWorthCommitting({ applied: 31, waiting: 31 })).toBe(false);
  });

  test('half of a burst goes where applying all of it takes longer than a commit', () => {
    const pace = paceOf({ inputNs: MS, commitNs: 10n * MS });
    expect(pace.isWorthCommitting({ applied: 6, waiting: 6 })).toBe(true);
    expect(pace.isWorthCommitting({ applied: 4, waiting: 4 })).toBe(false);
  });

  test('less than half of a burst does not go, nor a few, nor what leaves a few behind', () => {
    const pace = paceOf({ inputNs: MS, commitNs: 1n });
    expect(pace.isWorthCommitting({ applied: 5, waiting: 6 })).toBe(false);
    expect(pace.isWorthCommitting({ applied: 3, waiting: 3 })).toBe(false);
    expect(pace.isWorthCommitting({ applied: 9, waiting: 3 })).toBe(false);
    expect(pace.isWorthCommitting({ applied: 9, waiting: 4 })).toBe(true);
  });

  test('what applying and committing took of late counts, not what it took once', () => {
    const pace = paceOf({ inputNs: MS, commitNs: 100n * MS });
    expect(pace.isLongWork(10)).toBe(false);
    for (let i = 0; i < 50; i++) pace.committed(MS);
    expect(pace.isLongWork(10)).toBe(true);
  });
});
