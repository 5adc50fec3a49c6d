import { encode, hashText, sha256 } from '@worldline/canon';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { loadAuthored } from '../src/load-authored.ts';
import { loadStored } from '../src/load-stored.ts';
import { type Authored, filesOf, smallWorld } from './fixtures.ts';

/** Laws of loading that hold for any input. */

/** Words that lead far into the rules, next to anything. */
const word = fc.constantFrom(
  '$kind', '$comment', 'manifest', 'defplan', 'defschema', 'name', 'demo/Task@1', 'demo/core_run@1', 'sys/timer.set@1',
  'record', 'variant', 'text', 'option', 'set', 'map', 'ref', '@event.id', '@var:arm_h', '@step:arm', '@plan.input', 'op',
  'args', 'eq', 'tag', 'value', '__proto__', 'constructor', '', 'sys/SecretRef@1', 'alias', 'version', '@var:', 'id', 'end',
);

const json: fc.Arbitrary<Authored> = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.oneof(fc.constant(null), fc.boolean(), fc.integer(), word, fc.string({ maxLength: 5 })),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(word, tie('value'), { maxKeys: 4 }),
  ),
})).value;

/** Every place of a JSON value. */
function places(value: Authored, at: (string | number)[] = []): (string | number)[][] {
  if (value === null || typeof value !== 'object') return [at];
  return [at, ...Object.keys(value).flatMap((key) => places(value[key], [...at, key]))];
}

/** The small world with some places replaced, removed or copied from elsewhere. */
const damaged: fc.Arbitrary<Authored> = fc
  .array(fc.tuple(fc.nat(), fc.constantFrom('replace', 'remove', 'copy', 'add'), json, fc.nat(), word), { minLength: 1, maxLength: 4 })
  .map((changes) => {
    const nodes: Authored = structuredClone(smallWorld().nodes);
    for (const [place, change, value, from, key] of changes) {
      const all = places(nodes).filter((path) => path.length > 0);
      const path = all[place % all.length] as (string | number)[];
      const last = path.at(-1) as string;
      const parent = path.slice(0, -1).reduce((found: Authored, part) => found[part], nodes);
      if (change === 'remove') delete parent[last];
      else if (change === 'add' && parent[last] !== null && typeof parent[last] === 'object') parent[last][key] = value;
      else if (change === 'copy') {
        const source = all[from % all.length] as (string | number)[];
        parent[last] = structuredClone(source.reduce((found: Authored, part) => found?.[part], nodes)) ?? null;
      } else parent[last] = value;
    }
    return nodes;
  });

function judge(text: string): void {
  const loaded = loadAuthored([{ path: 'air/a.json', text }]);
  if (loaded.ok) {
    const store = new Map(loaded.value.objects.map(({ hash, bytes }) => [hashText(hash), bytes]));
    const stored = loadStored(loaded.value.catalog.manifestHash, (hash) => store.get(hashText(hash)));
    if (!stored.ok) throw new Error(`stored form refused: ${stored.failure.map(({ code }) => code).join(', ')}`);
    expect(hashText(stored.value.manifestHash)).toBe(hashText(loaded.value.catalog.manifestHash));
    return;
  }
  expect(loaded.failure.length).toBeGreaterThan(0);
  const seen = new Set(loaded.failure.map((each) => JSON.stringify([each.code, each.kind, each.name, each.path, each.message, each.line, each.column])));
  expect(seen.size).toBe(loaded.failure.length);
  for (const { severity, code, message, file, line } of loaded.failure) {
    expect(severity).toBe('error');
    expect(code).toMatch(/^[a-z_]+(\.[a-z0-9_]+)?$/);
    expect(message.length).toBeGreaterThan(0);
    // Only "there is no manifest" is about no file at all.
    if (code !== 'air.manifest_missing') expect([file, typeof line]).toEqual(['air/a.json', 'number']);
  }
}

test('a damaged world is either loaded, and then its stored form too, or refused with placed findings, each once', () => {
  fc.assert(
    fc.property(damaged, (nodes) => judge(JSON.stringify(nodes, null, 1))),
    { numRuns: 1500 },
  );
});

test('any JSON as a file is answered', () => {
  fc.assert(
    fc.property(json, (value) => judge(JSON.stringify(value))),
    { numRuns: 500 },
  );
});

test('any text as a file is answered', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (text) => {
      expect(() => loadAuthored([{ path: 'a.json', text }])).not.toThrow();
    }),
  );
});

test('any stored bytes under a manifest hash are answered', () => {
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 40 }), json.filter(isCbor).map((value) => encode(value))), (bytes) => {
      expect(loadStored(sha256(bytes), () => bytes).ok).toBe(false);
    }),
  );
});

/** Texts that the encoder takes. */
function isCbor(value: Authored): boolean {
  return JSON.stringify(value).isWellFormed() && !JSON.stringify(value).includes('\\ud');
}

test('findings come in the order of the text', () => {
  fc.assert(
    fc.property(damaged, (nodes) => {
      const loaded = loadAuthored(filesOf(nodes));
      if (loaded.ok) return;
      const positions = loaded.failure.map(({ line, column }) => (line ?? 0) * 10_000 + (column ?? 0));
      expect(positions).toEqual([...positions].sort((a, b) => a - b));
    }),
    { numRuns: 500 },
  );
});
