import { describe, expect, test } from 'vitest';
import { Output, printable, table, toJson } from '../src/output.ts';
import { didYouMean } from '../src/suggest.ts';

function output(
  options: { json?: boolean; quiet?: boolean; tty?: boolean; env?: Record<string, string>; meta?: boolean } = {},
) {
  const said = { out: '', err: '' };
  const stream = (name: 'out' | 'err') => ({
    write: (text: string) => {
      said[name] += text;
    },
    isTTY: options.tty === true,
    columns: 72,
  });
  const flags = {
    json: options.json === true,
    pretty: false,
    meta: options.meta !== false,
    quiet: options.quiet === true,
  };
  return { said, out: new Output(flags, { stdout: stream('out'), stderr: stream('err'), env: options.env ?? {} }) };
}

const META = { journal_height: 3, manifest_hash: 'sha256:00' };

describe('output (host.md §12.1)', () => {
  test('for people: data on stdout, notices and errors on stderr', () => {
    const { said, out } = output();
    out.notice('mind this');
    out.answer(['a', 'b'], { x: 1 }, META);
    out.failure({ code: 'event.invalid', message: 'no', path: ['value', 'a/b'], hint: 'write yes' });
    expect(said.out).toBe('a\nb\n');
    expect(said.err).toBe('notice: mind this\nerror[event.invalid]: no\n  at /value/a~1b\n  hint: write yes\n');
  });

  test('a failure whose one reason is itself is said once, with its place', () => {
    const { said, out } = output();
    const [code, message, hint] = ['import.version', 'version 1 is installed, not 2', 'install 2'];
    const reason = { code, message, hint, pointer: '/air', file: 'worldline.json', line: 3, column: 5 };
    out.failure({ code, message: `worldline.json: ${message}`, hint, details: [reason] });
    expect(said.err).toBe(
      'error[import.version]: worldline.json: version 1 is installed, not 2\n' +
        '  at worldline.json:3:5\n  hint: install 2\n',
    );
    said.err = '';
    out.failure({ code, message: `worldline.json:3:5: ${message}`, path: ['air'], hint, details: [reason] });
    expect(said.err).toBe(
      'error[import.version]: worldline.json:3:5: version 1 is installed, not 2\n  at /air\n  hint: install 2\n',
    );
  });

  test('of several reasons each is said, and a hint of one of them is not repeated', () => {
    const { said, out } = output();
    const reason = (message: string, hint: string) => ({ code: 'y', pointer: '/a', message, hint });
    out.failure({ code: 'x', message: 'm', hint: 'h', details: [reason('n', 'h'), reason('o', 'i')] });
    expect(said.err).toBe('error[x]: m\n  /a  y  n\n    hint: h\n  /a  y  o\n    hint: i\n');
  });

  test('for programs: exactly one object, with meta and warnings', () => {
    const { said, out } = output({ json: true });
    out.notice('mind this');
    out.answer(['a'], { x: 2n ** 60n, y: 7n }, META);
    expect(said.err).toBe('');
    expect(JSON.parse(said.out)).toEqual({
      data: { x: '1152921504606846976', y: 7 },
      meta: META,
      warnings: ['mind this'],
    });
    expect(() => out.answer([], {})).toThrow();
  });

  test('--no-meta and --quiet leave out what they name', () => {
    const { said, out } = output({ json: true, quiet: true, meta: false });
    out.notice('mind this');
    out.answer([], null, META);
    expect(JSON.parse(said.out)).toEqual({ data: null });
  });

  test('an error for programs carries pointer, hint and single failures as details', () => {
    const { said, out } = output({ json: true });
    out.failure({
      code: 'x',
      message: 'm',
      path: ['a', 0],
      hint: 'h',
      details: [{ code: 'y', pointer: '/a/0', message: 'n' }],
    });
    expect(JSON.parse(said.out)).toEqual({
      error: {
        code: 'x',
        message: 'm',
        details: { pointer: '/a/0', hint: 'h', failures: [{ code: 'y', pointer: '/a/0', message: 'n' }] },
      },
    });
    expect(said.err).toBe('');
  });

  test.each([
    [true, {}, true],
    [false, {}, false],
    [true, { NO_COLOR: '1' }, false],
    [true, { TERM: 'dumb' }, false],
  ])('colour when a terminal: %s with %j: %s', (tty, env, coloured) => {
    const { said, out } = output({ tty, env });
    out.failure({ code: 'x', message: 'm' });
    expect(said.err.includes('\u001b[')).toBe(coloured);
  });

  test.each([
    [{ tty: true }, true, 72],
    [{ tty: false }, false, undefined],
    [{ tty: true, json: true }, false, 72],
  ])('the screen is cleared, and its width known, on a terminal only: %j', (options, cleared, columns) => {
    const { said, out } = output(options);
    out.clear();
    expect(said.out !== '').toBe(cleared);
    expect(out.columns).toBe(columns);
  });

  test('nothing from a world can steer the terminal', () => {
    expect(printable('a\u001b[31mb\u0007\u202ec\nd')).toBe('a\\u001b[31mb\\u0007\\u202ec\nd');
    expect(table(['A'], [['x\ny\u001b']])).toEqual(['A', 'x\\ny\\u001b']);
  });

  test('tables: two spaces between columns, numbers to the right, nothing after the last', () => {
    expect(
      table(
        ['ID', 'NAME', 'N'],
        [
          [1, 'a', 10],
          [100, 'long', 5],
        ],
      ),
    ).toEqual([' ID  NAME   N', '  1  a     10', '100  long   5']);
  });

  test('integers beyond 2^53 are decimal strings in JSON', () => {
    expect(toJson([9007199254740991n, 9007199254740992n, -9007199254740992n], false)).toBe(
      '[9007199254740991,"9007199254740992","-9007199254740992"]',
    );
  });

  test('a mistyped word finds its neighbour, a strange one the few that are known', () => {
    expect(didYouMean('chekc', ['check', 'init'])).toBe('did you mean "check"?');
    expect(didYouMean('zzz', ['check', 'init'])).toBe('known: check, init');
    expect(
      didYouMean(
        'zzz',
        Array.from({ length: 13 }, (_, i) => `name${i}`),
      ),
    ).toBeUndefined();
  });
});
