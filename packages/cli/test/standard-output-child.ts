// node standard-output-child.ts <lines> [nonblocking]: writes so many lines of 100 bytes, the last one as bytes.
import { StandardOutput } from '../src/standard-output.ts';

const [lines, mode] = [Number(process.argv[2]), process.argv[3]];
// Node's own stream makes the pipe one whose writes do not wait, as another program that shares it may have done.
if (mode === 'nonblocking') process.stdout.write('');
const out = new StandardOutput();
const line = (n: number) => `${String(n).padEnd(99, '.')}\n`;
if (out.isTTY || out.columns !== undefined) throw new Error('this is no terminal');
for (let n = 0; n < lines - 1; n++) out.write(line(n));
out.write(Buffer.from(line(lines - 1)));
