import { utf8 } from '@worldline/canon';
import type { GuardedHttp, GuardedRequest } from '@worldline/ports';
import type { makeOrders } from '../../examples/10-factory/lib/orders.mjs';

type Answer = Awaited<ReturnType<GuardedHttp['request']>>;
export type Order = ReturnType<typeof makeOrders>[number];
type Sort = 'late' | 'silent' | 'publish' | 'announce';

/** The workshop of `examples/10-factory` without a network: the same fates, answered when the test says so. */
export class Workshop implements GuardedHttp {
  readonly #orders: ReadonlyMap<string, Order>;
  readonly #held = new Map<string, { readonly sort: Sort; readonly settle: (answer: Answer) => void }>();
  #isOver = false;
  /** Opens the doors: until then no tool answers. */
  open!: () => void;
  readonly #opened = new Promise<void>((resolve) => {
    this.open = resolve;
  });

  constructor(orders: readonly Order[]) {
    this.#orders = new Map(orders.map((order) => [order.id, order]));
  }

  held(sort: Sort): number {
    return [...this.#held.values()].filter((one) => one.sort === sort).length;
  }

  /** Answers the tasks that are too late already. */
  answerLate(): void {
    for (const { sort, settle } of this.#held.values()) if (sort === 'late') settle(answered(200));
  }

  /** From now on publications are answered. */
  comeBack(): void {
    this.#isOver = true;
  }

  async request({ url, signal }: GuardedRequest): Promise<Answer> {
    const [, kind, what, last] = new URL(url).pathname.split('/');
    const order = this.#orders.get((last ?? what) as string) as Order;
    const hold = (sort: Sort) =>
      new Promise<Answer>((resolve) => {
        const settle = (answer: Answer) => {
          this.#held.delete(url);
          resolve(answer);
        };
        this.#held.set(url, { sort, settle });
        signal.addEventListener('abort', () => settle(failed('adapter.timeout')), { once: true });
      });
    const { review, killed } = order.category as { readonly review?: string; readonly killed?: string };
    switch (kind) {
      case 'tools':
        await this.#opened;
        switch (order.tasks.find(({ tool }) => tool === what)?.fate) {
          case 'rejected':
            return answered(422);
          case 'reset':
            return failed('http.reset');
          case 'silent':
            return hold('silent');
          case 'late':
            return hold('late');
          default:
            return answered(200);
        }
      case 'reviews':
        return answered(200, [['x-defects', review === 'defects' ? '3' : '0']]);
      case 'releases':
        return killed === 'publish' && !this.#isOver ? hold('publish') : answered(201);
      default:
        return killed === 'announce' ? hold('announce') : answered(201);
    }
  }
}

function answered(status: number, headers: readonly (readonly [string, string])[] = []): Answer {
  return { ok: true, value: { status, headers, body: utf8('{}'), url: '' } };
}

/** Not retried: a pause between attempts would need the clock to move. */
function failed(code: string): Answer {
  return { ok: false, failure: { code, message: 'of the test', retryable: false, notSent: false } };
}
