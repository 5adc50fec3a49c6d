// npm run bench [-- options]: how fast a world runs, beside what the same disk and the same processor do in the same
// run. What is measured, and how: docs/benchmarks.md.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ROOT } from '../node.mjs';
import { Bench } from './bench.mjs';
import { compareAll, keeps, TOLERANCE, unmeasured } from './comparison.mjs';
import { machineShare } from './cpu-time.mjs';
import { FIGURES } from './figures/all.mjs';
import { machine, machineLine } from './machine.mjs';
import { round } from './statistics.mjs';
import { aligned, markdown, text } from './table.mjs';

const HELP = `npm run bench -- [options]

Measures how fast a world runs, beside what the same disk and processor do in the same run.

  --quick            shorter samples: a look, not a figure to quote
  --only <figures>   some of ${Object.keys(FIGURES).join(', ')}
  --json             one JSON object on standard output
  --markdown         the table as docs/benchmarks.md has it
  --dir <folder>     where the worlds are made (default: artifacts/ of the repository); on the disk to be measured
  --check            short samples, compared with tools/bench/ratios.json; exit 7 when a figure has fallen by more
                     than ${TOLERANCE * 100} % in every one of its attempts
  --attempts <n>     for --check (default 4)
  --update           measures as --check does and writes the worst of several runs to tools/bench/ratios.json
  --runs <n>         for --update (default 5)
  --help

Exit codes: 0 measured (bounds that are not met do not fail), 1 something broke, 2 wrong usage, 7 --check found a fall.

Examples:
  npm run bench
  npm run bench -- --quick --only steps,workflows
  npm run bench -- --check
`;

const RATIOS = join(ROOT, 'tools', 'bench', 'ratios.json');
function usage(message) {
  console.error(`${message}\n\n${HELP}`);
  process.exit(2);
}

function readOptions() {
  let values;
  try {
    ({ values } = parseArgs({
      options: {
        help: { type: 'boolean' },
        json: { type: 'boolean' },
        markdown: { type: 'boolean' },
        quick: { type: 'boolean' },
        check: { type: 'boolean' },
        update: { type: 'boolean' },
        only: { type: 'string' },
        dir: { type: 'string' },
        attempts: { type: 'string', default: '4' },
        runs: { type: 'string', default: '5' },
      },
    }));
  } catch (error) {
    usage(error.message);
  }
  if (values.check && values.update) usage('--check and --update exclude each other');
  for (const name of ['attempts', 'runs'])
    if (!/^[1-9][0-9]?$/.test(values[name])) usage(`--${name} is a number from 1 to 99`);
  const names = values.only === undefined ? Object.keys(FIGURES) : values.only.split(',');
  for (const name of names)
    if (!Object.hasOwn(FIGURES, name)) usage(`no figure ${name}; there are ${Object.keys(FIGURES).join(', ')}`);
  return { ...values, names, attempts: Number(values.attempts), runs: Number(values.runs) };
}

const options = readOptions();
const isQuiet = options.json || options.markdown;
/** Progress, for people who wait. */
const say = isQuiet ? () => {} : (line) => console.error(line);

/** Runs `use` with a bench in a folder of its own, which goes afterwards. */
async function withBench(length, use) {
  const parent = options.dir === undefined ? join(ROOT, 'artifacts') : resolve(options.dir);
  mkdirSync(parent, { recursive: true });
  const dir = mkdtempSync(join(parent, 'bench-'));
  try {
    const bench = await Bench.open({ dir, length });
    const result = await use(bench);
    await bench.close();
    return result;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** The table. A figure that breaks is said to be missing, and the others are measured all the same. */
async function report() {
  const at = machine();
  say(machineLine(at));
  const rows = [];
  await withBench(options.quick ? 'quick' : 'full', async (bench) => {
    for (const name of options.names) {
      say(`measuring ${name} …`);
      try {
        rows.push(...(await FIGURES[name](bench)));
      } catch (error) {
        rows.push({ id: name, what: name, failure: error.message });
        say(error.stack);
        process.exitCode = 1;
      }
    }
    // No figure that needs it, no unit.
    const unitUs = bench.cpu.unitUs();
    if (unitUs !== undefined)
      rows.push({
        id: 'cpu_unit',
        what: 'CPU unit: a small record made, written as text, hashed, read back',
        value: unitUs,
        unit: 'µs',
      });
  });
  if (options.json) {
    const shown = rows.map((row) => ({
      ...row,
      met: row.failure === undefined ? keeps(row.value, row.bound) : undefined,
    }));
    console.log(JSON.stringify({ machine: at, length: options.quick ? 'quick' : 'full', rows: shown }, undefined, 2));
  } else if (options.markdown) console.log(`${machineLine(at)}.\n\n${markdown(rows)}`);
  else console.log(`\n${text(rows)}`);
}

/** name → measures it in a bench of its own, so that attempts do not lean on one another. */
function figures() {
  return Object.fromEntries(options.names.map((name) => [name, () => withBench('check', FIGURES[name])]));
}

async function check() {
  const stored = JSON.parse(readFileSync(RATIOS, 'utf8'));
  const measured = Object.fromEntries(
    Object.entries(figures()).map(([name, measure]) => [
      name,
      (attempt) => {
        say(`comparing ${name}${attempt > 1 ? `, attempt ${attempt}` : ''} …`);
        return measure();
      },
    ]),
  );
  const references = Object.fromEntries(Object.entries(stored.ratios).map(([id, { value }]) => [id, value]));
  const verdicts = await compareAll(measured, references, options.attempts, machineShare);
  const lost = options.only === undefined ? unmeasured(verdicts, references) : [];
  const fallen = verdicts.filter((verdict) => !verdict.isMet);
  const unknown = verdicts.filter((verdict) => verdict.failure === undefined && verdict.reference === undefined);
  if (options.json)
    console.log(JSON.stringify({ machine: machine(), tolerance: TOLERANCE, verdicts, lost }, undefined, 2));
  else {
    console.log(`\n${aligned([['ratio', 'stored', 'measured', 'change', 'attempts', ''], ...verdicts.map(line)])}\n`);
    for (const { id } of unknown) console.log(`${id} has no stored ratio: npm run bench -- --update`);
    for (const id of lost) console.log(`${id} is stored and nothing measures it: npm run bench -- --update`);
    if (verdicts.some(({ undecided }) => undecided))
      console.log('undecided: the machine has too much else to do to tell times; run it again when it has not');
    console.log(
      fallen.length === 0
        ? `no figure fell by more than ${TOLERANCE * 100} % against ${stored.machine.date}`
        : `fallen by more than ${TOLERANCE * 100} %: ${fallen.map((verdict) => verdict.id).join(', ')}`,
    );
  }
  if (fallen.length + lost.length + unknown.length > 0) process.exitCode = 7;
}

function line({ id, gate, reference, fall, attempts, isMet, undecided, failure }) {
  if (failure !== undefined) return [id, '', 'not measured', '', '', failure];
  return [
    id,
    reference === undefined ? '' : String(reference),
    `${round(gate.value)} ${gate.unit}`,
    // As people read it: plus is worse.
    fall === undefined ? '' : `${fall > 0 ? '+' : ''}${Math.round(fall * 100)} %`,
    String(attempts),
    undecided ? 'undecided' : isMet ? '' : 'FALLEN',
  ];
}

async function update() {
  const at = machine();
  const taken = new Map();
  for (let run = 1; run <= options.runs; run++) {
    say(`run ${run} of ${options.runs} …`);
    for (const measure of Object.values(figures())) {
      for (const { id, what, gate } of await measure()) {
        if (gate === undefined) continue;
        const known = taken.get(id) ?? { what, unit: gate.unit, better: gate.better, values: [] };
        known.values.push(gate.value);
        taken.set(id, known);
      }
    }
  }
  const before = options.only === undefined ? {} : JSON.parse(readFileSync(RATIOS, 'utf8')).ratios;
  const ratios = Object.fromEntries(
    [...taken].map(([id, { what, unit, better, values }]) => [
      id,
      // A good run that falls below its own reference would be an alarm about nothing.
      { what, unit, better, value: round(better === 'lower' ? Math.max(...values) : Math.min(...values)) },
    ]),
  );
  writeFileSync(RATIOS, `${JSON.stringify({ machine: at, ratios: { ...before, ...ratios } }, undefined, 2)}\n`);
  say(`wrote ${RATIOS}`);
}

if (options.help) console.log(HELP);
else if (options.check) await check();
else if (options.update) await update();
else await report();
