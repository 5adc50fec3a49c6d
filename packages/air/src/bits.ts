/** Sets of small numbers, for questions about all steps of a plan at once. */
export class Bits {
  private readonly words: Uint32Array;

  constructor(size: number) {
    this.words = new Uint32Array((size + 31) >>> 5);
  }

  has(index: number): boolean {
    return (((this.words[index >>> 5] as number) >>> (index & 31)) & 1) === 1;
  }

  add(index: number): this {
    this.words[index >>> 5] = (this.words[index >>> 5] as number) | (1 << (index & 31));
    return this;
  }

  addAll(other: Bits): this {
    for (let i = 0; i < this.words.length; i += 1) {
      this.words[i] = (this.words[i] as number) | (other.words[i] as number);
    }
    return this;
  }

  retain(other: Bits): this {
    for (let i = 0; i < this.words.length; i += 1) {
      this.words[i] = (this.words[i] as number) & (other.words[i] as number);
    }
    return this;
  }

  removeAll(other: Bits): this {
    for (let i = 0; i < this.words.length; i += 1) {
      this.words[i] = (this.words[i] as number) & ~(other.words[i] as number);
    }
    return this;
  }

  meets(other: Bits): boolean {
    for (let i = 0; i < this.words.length; i += 1) {
      if (((this.words[i] as number) & (other.words[i] as number)) !== 0) return true;
    }
    return false;
  }

  /** Does it hold something that is in `other` and not in `without`? */
  meetsOutside(other: Bits, without: Bits): boolean {
    for (let i = 0; i < this.words.length; i += 1) {
      if (((this.words[i] as number) & (other.words[i] as number) & ~(without.words[i] as number)) !== 0) return true;
    }
    return false;
  }

  copy(): Bits {
    const copy = new Bits(this.words.length * 32);
    copy.words.set(this.words);
    return copy;
  }

  /** In ascending order. */
  *[Symbol.iterator](): Generator<number> {
    for (let i = 0; i < this.words.length; i += 1) {
      for (let word = this.words[i] as number; word !== 0; word &= word - 1) {
        yield i * 32 + (31 - Math.clz32(word & -word));
      }
    }
  }
}
