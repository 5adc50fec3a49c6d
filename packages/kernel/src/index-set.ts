/** A few step positions in ascending order. Sets here hold a handful, so an array beats a hash table. */
export class IndexSet {
  readonly #items: number[] = [];

  get size(): number {
    return this.#items.length;
  }

  add(item: number): void {
    const items = this.#items;
    let place = items.length;
    while (place > 0 && (items[place - 1] as number) > item) place--;
    if (items[place - 1] === item) return;
    if (place === items.length) items.push(item);
    else items.splice(place, 0, item);
  }

  delete(item: number): void {
    const place = this.#items.indexOf(item);
    if (place < 0) return;
    if (place === this.#items.length - 1) this.#items.pop();
    else this.#items.splice(place, 1);
  }

  /** The smallest member above `above`, or −1. */
  next(above: number): number {
    const items = this.#items;
    for (let i = 0; i < items.length; i++) if ((items[i] as number) > above) return items[i] as number;
    return -1;
  }
}
