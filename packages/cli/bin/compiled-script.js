// A script, and what V8 compiled of it. Node's own cache holds what is compiled when a file is loaded; but nearly all functions
// are compiled when they are first called, and a command that is over soon spends a sixth of its time on that. Of a script,
// and not of a module, V8 hands out those as well.
'use strict';

const fs = require('node:fs');
const Module = require('node:module');
const path = require('node:path');
const { constants, Script } = require('node:vm');

/** A kept file begins with the hash of the text it belongs to, how many runs added to it, and a sum. V8 wants its part aligned. */
const HEADER_BYTES = 88;
const HASH_CHARS = 64;

/** One run does not call every function: the first may have met a small folder. Each that adds takes a few hundredths of a second more. */
const RUNS = 5;

/**
 * `require(file)`, with the functions that earlier runs have called compiled already.
 *
 * @param file - A script whose last line is a comment with the hash of the text, as tools/bundle.mjs writes it: what was kept
 *   of another text is not used. ASCII.
 * @param folder - Where that is kept. Nobody else may write there: it is code.
 */
function requireCompiled(file, folder) {
  const text = fs.readFileSync(file, 'latin1');
  const hash = text.slice(-HASH_CHARS - 1, -1);
  const kept = path.join(folder, path.basename(file));
  const found = read(kept, hash);
  const [before] = Module.wrapper;
  const script = new Script(Module.wrap(text), {
    filename: file,
    columnOffset: -before.length,
    cachedData: found?.compiled,
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  });
  const runs = found === undefined || script.cachedDataRejected ? 0 : found.runs;
  if (runs < RUNS) process.on('exit', () => keep(kept, { hash, runs: runs + 1, script }));

  const module = new Module(file);
  module.filename = file;
  require.cache[file] = module;
  script
    .runInThisContext()
    .call(module.exports, module.exports, Module.createRequire(file), module, file, path.dirname(file));
  module.loaded = true;
  return module.exports;
}

/** undefined when nothing is kept, or what is kept belongs to another text. */
function read(kept, hash) {
  let bytes;
  try {
    bytes = fs.readFileSync(kept);
  } catch (ignored) {
    return undefined;
  }
  const [of, runs, sum] = bytes.toString('latin1', 0, HEADER_BYTES).trim().split(' ');
  const compiled = bytes.subarray(HEADER_BYTES);
  return of === hash && sum === String(sumOf(compiled)) ? { runs: Number(runs), compiled } : undefined;
}

/**
 * V8 notices a file that is cut short, and runs into what is damaged otherwise. By words, which takes a quarter of the time
 * of bytes; every word that differs tells.
 */
function sumOf(bytes) {
  const whole = bytes.length - (bytes.length % 4);
  // A copy, since what V8 hands out may begin anywhere.
  const words = new Int32Array(new Uint8Array(bytes.subarray(0, whole)).buffer);
  let sum = bytes.length;
  for (let at = 0; at < words.length; at++) sum = (Math.imul(sum, 31) + words[at]) | 0;
  for (let at = whole; at < bytes.length; at++) sum = (Math.imul(sum, 31) + bytes[at]) | 0;
  return sum;
}

/** Whoever reads meanwhile, or after a power cut, finds the old file or the new one. Where this user may not write, nothing is kept. */
function keep(kept, { hash, runs, script }) {
  const own = `${kept}.${process.pid}`;
  try {
    fs.mkdirSync(path.dirname(kept), { recursive: true });
    fs.writeFileSync(own, '');
    const compiled = script.createCachedData();
    const header = Buffer.from(`${hash} ${runs} ${sumOf(compiled)}`.padEnd(HEADER_BYTES));
    fs.writeFileSync(own, Buffer.concat([header, compiled]), { flush: true });
    fs.renameSync(own, kept);
  } catch (ignored) {
    try {
      fs.unlinkSync(own);
    } catch (absent) {
      // It was not even begun.
    }
  }
}

module.exports = { requireCompiled };
