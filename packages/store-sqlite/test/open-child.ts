import { openSqliteStore } from '../src/index.ts';

/** Tells with which code a folder is refused to a process without special rights. */
if (process.getuid?.() === 0) process.setuid?.(65534);
const dir = process.argv[2] ?? '';
for (const readOnly of [true, false]) {
  const opened = await openSqliteStore(dir, { readOnly });
  console.log(`${readOnly ? 'reading' : 'writing'}: ${opened.ok ? 'opened' : opened.failure.code}`);
}
