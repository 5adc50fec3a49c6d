import { readFileSync } from 'node:fs';
import { fromHex, toHex, unwrap } from '@worldline/canon';
import { describe, expect, test } from 'vitest';
import { decodeInboxItem, encodeInboxItem } from '../src/inbox-item.ts';

interface Vector {
  readonly name: string;
  readonly item: string;
  readonly digest: string;
}

/** Items as the first release of this format wrote them. The event's digest is that of `kernel.md` §3. */
const { vectors }: { readonly vectors: readonly Vector[] } = JSON.parse(
  readFileSync(new URL('../../../test/vectors/inbox-item.json', import.meta.url), 'utf8'),
);

describe('items of the first release are read, and written again byte for byte', () => {
  test.each(vectors)('$name', ({ item, digest }) => {
    const envelope = unwrap(decodeInboxItem(fromHex(item)!));
    const again = encodeInboxItem(envelope);
    expect(toHex(again.item)).toBe(item);
    expect(toHex(again.digest)).toBe(digest);
  });
});
