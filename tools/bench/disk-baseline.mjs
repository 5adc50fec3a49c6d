// What the disk itself can do: write so many bytes and sync them.
import { closeSync, fdatasyncSync, fsyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';

/** As large as SQLite's log grows before it starts over, so that neither side gains by not growing a file. */
const FILE_BYTES = 4 * 1024 * 1024;

/** A file whose blocks exist already, written from front to back again and again: the fastest durable write there is. */
export class DiskBaseline {
  #path;
  #file;
  #offset = 0;

  constructor(dir) {
    this.#path = join(dir, 'baseline');
    this.#file = openSync(this.#path, 'w');
    writeSync(this.#file, Buffer.alloc(FILE_BYTES, 0x11));
    fsyncSync(this.#file);
  }

  /** One `write` + `fdatasync` of `bytes` bytes. @returns milliseconds. */
  sync(bytes) {
    const data = Buffer.alloc(bytes, 0x77);
    if (this.#offset + bytes > FILE_BYTES) this.#offset = 0;
    const began = performance.now();
    writeSync(this.#file, data, 0, bytes, this.#offset);
    fdatasyncSync(this.#file);
    const ms = performance.now() - began;
    this.#offset += bytes;
    return ms;
  }

  close() {
    closeSync(this.#file);
    rmSync(this.#path, { force: true });
  }
}
