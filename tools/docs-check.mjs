// Keeps the documents true where a machine can tell: links lead somewhere, npm scripts named exist, every folder index
// lists its files, and every dependency has its line with its version in docs/dependencies.md.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';

const SKIP = new Set(['node_modules', 'dist', '.git', '.worldline', 'demo-world', 'artifacts', 'coverage']);

function* markdownFiles(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (SKIP.has(entry.name)) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* markdownFiles(path);
    else if (entry.name.endsWith('.md')) yield path;
  }
}

/** Text without fenced blocks and inline code, lines kept, so that examples are not taken for links. */
function prose(text) {
  let fenced = false;
  return text
    .split('\n')
    .map((line) => {
      if (/^\s*(```|~~~)/.test(line)) fenced = !fenced;
      else if (!fenced) return line.replace(/`[^`]*`/g, '');
      return '';
    })
    .join('\n');
}

/** The names that `#fragment` links can use, as GitHub derives them from headings. */
function anchors(text) {
  const seen = new Map();
  const names = new Set();
  let fenced = false;
  for (const line of text.split('\n')) {
    if (/^\s*(```|~~~)/.test(line)) fenced = !fenced;
    const heading = !fenced && /^#{1,6}\s+(.*?)\s*#*$/.exec(line);
    if (!heading) continue;
    const slug = heading[1]
      .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replace(/\s/g, '-');
    const count = seen.get(slug) ?? 0;
    seen.set(slug, count + 1);
    names.add(count === 0 ? slug : `${slug}-${count}`);
  }
  return names;
}

function lineOf(text, index) {
  return text.slice(0, index).split('\n').length;
}

function checkLinks(root, file, text, problems) {
  const plain = prose(text);
  for (const match of plain.matchAll(/\[[^\]]*\]\(([^)\s]+)(?:\s+"[^"]*")?\)/g)) {
    const target = match[1];
    if (/^[a-z][a-z0-9+.-]*:/i.test(target)) continue;
    const where = `${relative(root, file)}:${lineOf(plain, match.index)}`;
    const [path, fragment] = target.split('#');
    const resolved = path ? resolve(dirname(file), decodeURIComponent(path)) : file;
    if (!existsSync(resolved)) problems.push(`${where}: the link ${target} leads nowhere`);
    else if (relative(root, resolved).startsWith('..'))
      problems.push(`${where}: the link ${target} leaves the repository`);
    else if (fragment && resolved.endsWith('.md') && !anchors(readFileSync(resolved, 'utf8')).has(fragment)) {
      problems.push(`${where}: ${path || 'this file'} has no heading for #${fragment}`);
    }
  }
}

/** `npm run x`, `npm test` anywhere, and `node path` in shell blocks. */
function checkCommands(root, file, text, scripts, problems) {
  for (const match of text.matchAll(/\bnpm (?:run ([a-z][\w:-]*)|(test)\b)/g)) {
    const name = match[1] ?? match[2];
    if (!scripts.has(name))
      problems.push(`${relative(root, file)}:${lineOf(text, match.index)}: there is no npm script "${name}"`);
  }
  for (const match of text.matchAll(/\bnode ((?:tools|examples|packages|test)\/[\w./-]+\.m?[jt]s)\b/g)) {
    if (!existsSync(join(root, match[1]))) {
      problems.push(`${relative(root, file)}:${lineOf(text, match.index)}: there is no ${match[1]}`);
    }
  }
}

/** A README.md beside other documents names each of them. */
function checkIndex(root, folder, problems) {
  const index = join(folder, 'README.md');
  if (!existsSync(index)) return;
  const text = readFileSync(index, 'utf8');
  for (const name of readdirSync(folder)) {
    if (name.endsWith('.md') && name !== 'README.md' && !text.includes(`(${name}`)) {
      problems.push(`${relative(root, index)}: ${name} is not listed`);
    }
  }
}

/** Direct dependencies of the root and of every package, as name → set of version specs. */
function dependencies(root) {
  const found = new Map();
  const folders = [root, ...readdirSync(join(root, 'packages')).map((name) => join(root, 'packages', name))];
  for (const folder of folders) {
    const file = join(folder, 'package.json');
    if (!existsSync(file)) continue;
    const manifest = JSON.parse(readFileSync(file, 'utf8'));
    for (const field of ['dependencies', 'devDependencies', 'optionalDependencies', 'peerDependencies']) {
      for (const [name, spec] of Object.entries(manifest[field] ?? {})) {
        if (name.startsWith('@worldline/') || name === 'worldline') continue;
        if (!found.has(name)) found.set(name, new Set());
        found.get(name).add(spec);
      }
    }
  }
  return found;
}

function checkDependencies(root, problems) {
  const file = join(root, 'docs', 'dependencies.md');
  if (!existsSync(file)) {
    problems.push('docs/dependencies.md is missing');
    return;
  }
  const rows = new Map();
  for (const match of readFileSync(file, 'utf8').matchAll(/^\| `([^`]+)` \| `([^`]+)` \|/gm))
    rows.set(match[1], match[2]);
  const wanted = dependencies(root);
  for (const [name, specs] of wanted) {
    const written = rows.get(name);
    if (written === undefined) problems.push(`docs/dependencies.md: no line for ${name} (${[...specs].join(', ')})`);
    else if (specs.size !== 1 || !specs.has(written)) {
      problems.push(
        `docs/dependencies.md: ${name} is written as ${written}, package.json says ${[...specs].join(', ')}`,
      );
    }
    for (const spec of specs) {
      if (!/^(npm:(@[^/]+\/)?[^@]+@)?\d+\.\d+\.\d+$/.test(spec))
        problems.push(`package.json: ${name} is not pinned exactly: ${spec}`);
    }
  }
  for (const name of rows.keys()) {
    if (!wanted.has(name)) problems.push(`docs/dependencies.md: ${name} is not a dependency any more`);
  }
}

/** The lockfile names packages and digests, never the server one developer happened to use. */
function checkLockfile(root, problems) {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  for (const [place, entry] of Object.entries(lock.packages)) {
    if (/^[a-z+]+:/i.test(entry.resolved ?? ''))
      problems.push(`package-lock.json: ${place} names a server: ${entry.resolved}`);
    const outside = place.includes('node_modules/') && !entry.link && !entry.inBundle;
    if (outside && !entry.integrity) problems.push(`package-lock.json: ${place} has no integrity`);
  }
}

/** Everything that is not true, one sentence each. */
export function findProblems(root) {
  const problems = [];
  const scripts = new Set(Object.keys(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).scripts));
  const folders = new Set();
  for (const file of markdownFiles(root)) {
    const text = readFileSync(file, 'utf8');
    checkLinks(root, file, text, problems);
    checkCommands(root, file, text, scripts, problems);
    if (basename(file) === 'README.md' && relative(root, file).startsWith('docs')) folders.add(dirname(file));
  }
  for (const folder of folders) if (statSync(folder).isDirectory()) checkIndex(root, folder, problems);
  checkDependencies(root, problems);
  checkLockfile(root, problems);
  return problems;
}

export function checkDocs(root) {
  const problems = findProblems(root);
  for (const problem of problems) console.error(problem);
  return problems.length === 0;
}
