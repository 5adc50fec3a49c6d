import { highHalf, lowHalf, ROUND_WORDS, STATE_WORDS } from './sha2-constants.ts';

/** SHA-512 (FIPS 180-4). 64-bit words are pairs of 32-bit halves; sums of low halves carry through float arithmetic. */

const ROUNDS_HIGH = Int32Array.from(ROUND_WORDS, highHalf);
const ROUNDS_LOW = Int32Array.from(ROUND_WORDS, lowHalf);

const BLOCK = 128;
const stateHigh = new Int32Array(8);
const stateLow = new Int32Array(8);
const wHigh = new Int32Array(80);
const wLow = new Int32Array(80);

/** SHA-512 digest, 64 bytes. */
export function sha512(bytes: Uint8Array): Uint8Array {
  for (let i = 0; i < 8; i++) {
    stateHigh[i] = highHalf(STATE_WORDS[i] as bigint);
    stateLow[i] = lowHalf(STATE_WORDS[i] as bigint);
  }
  const { length } = bytes;
  const whole = length - (length % BLOCK);
  for (let at = 0; at < whole; at += BLOCK) compress(bytes, at);

  const rest = length - whole;
  const tail = new Uint8Array(rest < 112 ? BLOCK : 2 * BLOCK);
  for (let i = 0; i < rest; i++) tail[i] = bytes[whole + i] as number;
  tail[rest] = 0x80;
  // Length in bits; the upper 64 of its 128 bits are always zero.
  const high = Math.floor(length / 0x2000_0000);
  const low = length << 3;
  for (let i = 0; i < 4; i++) {
    tail[tail.length - 8 + i] = high >>> (24 - 8 * i);
    tail[tail.length - 4 + i] = low >>> (24 - 8 * i);
  }
  for (let at = 0; at < tail.length; at += BLOCK) compress(tail, at);

  const digest = new Uint8Array(64);
  for (let i = 0; i < 8; i++) {
    for (let j = 0; j < 4; j++) {
      digest[8 * i + j] = (stateHigh[i] as number) >>> (24 - 8 * j);
      digest[8 * i + 4 + j] = (stateLow[i] as number) >>> (24 - 8 * j);
    }
  }
  return digest;
}

function word(input: Uint8Array, at: number): number {
  return (
    ((input[at] as number) << 24) |
    ((input[at + 1] as number) << 16) |
    ((input[at + 2] as number) << 8) |
    (input[at + 3] as number)
  );
}

/** What overflows a sum of unsigned 32-bit halves. */
function carry(sum: number): number {
  return Math.floor(sum / 0x1_0000_0000);
}

function compress(input: Uint8Array, offset: number): void {
  for (let i = 0; i < 16; i++) {
    wHigh[i] = word(input, offset + 8 * i);
    wLow[i] = word(input, offset + 8 * i + 4);
  }
  for (let i = 16; i < 80; i++) {
    const xh = wHigh[i - 15] as number;
    const xl = wLow[i - 15] as number;
    const s0h = ((xh >>> 1) | (xl << 31)) ^ ((xh >>> 8) | (xl << 24)) ^ (xh >>> 7);
    const s0l = ((xl >>> 1) | (xh << 31)) ^ ((xl >>> 8) | (xh << 24)) ^ ((xl >>> 7) | (xh << 25));
    const yh = wHigh[i - 2] as number;
    const yl = wLow[i - 2] as number;
    const s1h = ((yh >>> 19) | (yl << 13)) ^ ((yl >>> 29) | (yh << 3)) ^ (yh >>> 6);
    const s1l = ((yl >>> 19) | (yh << 13)) ^ ((yh >>> 29) | (yl << 3)) ^ ((yl >>> 6) | (yh << 26));
    const low = (s0l >>> 0) + (s1l >>> 0) + ((wLow[i - 16] as number) >>> 0) + ((wLow[i - 7] as number) >>> 0);
    wLow[i] = low | 0;
    wHigh[i] = (s0h + s1h + (wHigh[i - 16] as number) + (wHigh[i - 7] as number) + carry(low)) | 0;
  }

  let [ah, bh, ch, dh, eh, fh, gh, hh] = stateHigh as unknown as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  let [al, bl, cl, dl, el, fl, gl, hl] = stateLow as unknown as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  for (let i = 0; i < 80; i++) {
    const s1h = ((eh >>> 14) | (el << 18)) ^ ((eh >>> 18) | (el << 14)) ^ ((el >>> 9) | (eh << 23));
    const s1l = ((el >>> 14) | (eh << 18)) ^ ((el >>> 18) | (eh << 14)) ^ ((eh >>> 9) | (el << 23));
    const chooseH = gh ^ (eh & (fh ^ gh));
    const chooseL = gl ^ (el & (fl ^ gl));
    const low1 =
      (hl >>> 0) + (s1l >>> 0) + (chooseL >>> 0) + ((ROUNDS_LOW[i] as number) >>> 0) + ((wLow[i] as number) >>> 0);
    const t1l = low1 | 0;
    const t1h = (hh + s1h + chooseH + (ROUNDS_HIGH[i] as number) + (wHigh[i] as number) + carry(low1)) | 0;
    const s0h = ((ah >>> 28) | (al << 4)) ^ ((al >>> 2) | (ah << 30)) ^ ((al >>> 7) | (ah << 25));
    const s0l = ((al >>> 28) | (ah << 4)) ^ ((ah >>> 2) | (al << 30)) ^ ((ah >>> 7) | (al << 25));
    const majorityH = (ah & bh) | (ch & (ah | bh));
    const majorityL = (al & bl) | (cl & (al | bl));
    const low2 = (s0l >>> 0) + (majorityL >>> 0);
    const t2h = (s0h + majorityH + carry(low2)) | 0;
    const t2l = low2 | 0;
    hh = gh;
    hl = gl;
    gh = fh;
    gl = fl;
    fh = eh;
    fl = el;
    const lowE = (dl >>> 0) + (t1l >>> 0);
    eh = (dh + t1h + carry(lowE)) | 0;
    el = lowE | 0;
    dh = ch;
    dl = cl;
    ch = bh;
    cl = bl;
    bh = ah;
    bl = al;
    const lowA = (t1l >>> 0) + (t2l >>> 0);
    ah = (t1h + t2h + carry(lowA)) | 0;
    al = lowA | 0;
  }
  add(0, ah, al);
  add(1, bh, bl);
  add(2, ch, cl);
  add(3, dh, dl);
  add(4, eh, el);
  add(5, fh, fl);
  add(6, gh, gl);
  add(7, hh, hl);
}

function add(index: number, high: number, low: number): void {
  const sum = ((stateLow[index] as number) >>> 0) + (low >>> 0);
  stateHigh[index] = ((stateHigh[index] as number) + high + carry(sum)) | 0;
  stateLow[index] = sum | 0;
}
