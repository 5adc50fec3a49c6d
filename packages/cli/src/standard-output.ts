import { fstatSync, writeSync } from 'node:fs';
import { EXIT } from './exit-code.ts';

const FD = 1;

/**
 * Standard output. A pipe or a file is written to as it is: the stream that Node makes for one is as synchronous, and loading it
 * takes longer than a small command takes for all it has to say. A terminal is left to Node, which knows its width.
 *
 * A reader that closes early (`| head`) has seen enough: the process ends, with success.
 */
export class StandardOutput {
  #stream: NodeJS.WriteStream | undefined;
  #isPlain: boolean | undefined;

  get isTTY(): boolean {
    return !this.#writesItself() && this.#node().isTTY === true;
  }

  /** Width of the terminal. */
  get columns(): number | undefined {
    return this.#writesItself() ? undefined : this.#node().columns;
  }

  /** @throws the system's error, for example when the disk is full. */
  write(text: string | Uint8Array): void {
    let rest = typeof text === 'string' ? Buffer.from(text) : text;
    while (rest.length > 0) {
      if (!this.#writesItself()) {
        this.#node().write(rest);
        return;
      }
      try {
        rest = rest.subarray(writeSync(FD, rest));
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === 'EPIPE') process.exit(EXIT.success);
        if (code !== 'EAGAIN') throw error;
        // Whoever shares this pipe wants no writer to wait. Node's stream can, and has all that follows.
        this.#isPlain = false;
      }
    }
  }

  #writesItself(): boolean {
    if (this.#isPlain === undefined) {
      const stat = fstatSync(FD);
      this.#isPlain = stat.isFile() || stat.isFIFO() || stat.isSocket();
    }
    return this.#isPlain;
  }

  #node(): NodeJS.WriteStream {
    if (this.#stream === undefined) {
      this.#stream = process.stdout;
      this.#stream.on('error', (error: NodeJS.ErrnoException) => {
        if (error.code === 'EPIPE') process.exit(EXIT.success);
        throw error;
      });
    }
    return this.#stream;
  }
}
