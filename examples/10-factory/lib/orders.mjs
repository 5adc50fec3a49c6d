// What is ordered, and what is made to go wrong with each order. Everything else follows from this table: what the
// workshop does, what the approver says, and what the summaries must count in the end.

/**
 * A category of orders.
 *
 * - `task`: what happens to one of the order's tasks; the others pass.
 *   `rejected` answered 422 · `reset` the connection breaks, every time · `silent` never answered · `late` answered only after
 *   the task's deadline · `forbidden` addressed outside the grant
 * - `review`: `defects` when the reviewer finds some.
 * - `approver`: `approve`, `deny`, or `silent`: says nothing until the deadline.
 * - `killed`: the effect that is in flight when the factory is killed: `publish` (has an idempotency key) or `announce` (has none).
 * - `outcome`: the answer that the requester must get.
 * - `share`: how many of 50 orders; those of `killed` do not grow with more orders.
 */
export const CATEGORIES = [
  { name: 'published', share: 12, outcome: { Published: { announcement: 'made' } } },
  { name: 'refused by the approver', share: 4, approver: 'deny', outcome: { Refused: { approver: '*' } } },
  { name: 'rejected by a tool', share: 3, task: 'rejected', outcome: incomplete({ Rejected: { status: 422 } }) },
  { name: 'policy deny', share: 4, channel: 'Production', outcome: failed('publish', 'policy_denied') },
  {
    name: 'capability deny',
    share: 4,
    task: 'forbidden',
    outcome: incomplete({ Failed: { stage: 'plan', code: 'cap_denied' } }),
  },
  { name: 'invariant violation', share: 4, review: 'defects', outcome: failed('gate', 'invariant_violation') },
  { name: 'timeout path: a task', share: 4, task: 'late', outcome: incomplete({ TimedOut: '*' }) },
  { name: 'timeout path: the approval', share: 3, approver: 'silent', outcome: { TimedOut: '*' } },
  {
    name: 'adapter timeout',
    share: 3,
    task: 'silent',
    outcome: incomplete({ Failed: { stage: 'fetch', code: 'adapter.timeout' } }),
  },
  {
    name: 'adapter error',
    share: 3,
    task: 'reset',
    outcome: incomplete({ Failed: { stage: 'fetch', code: 'http.reset' } }),
  },
  {
    name: 'delivery unknown',
    share: 3,
    killed: 'announce',
    outcome: { Published: { announcement: 'delivery.unknown' } },
  },
  { name: 'killed while publishing', share: 3, killed: 'publish', outcome: { Published: { announcement: 'made' } } },
];

/** `*` stands for a value that only the run can know: who approved, when a deadline was. */
function incomplete(of) {
  return { Incomplete: of };
}

function failed(stage, code) {
  return { Failed: { stage, code } };
}

const TOOLS = ['build', 'test', 'lint', 'document'];

/**
 * @param count - at least one of each category.
 * @param seed - decides the order in which they come, how many tasks each has, and which of them goes wrong.
 * @returns orders, each with its category and the fate of each of its tasks.
 */
export function makeOrders(count, seed) {
  const random = randomOf(seed);
  const categories = shuffle(spread(count), random);
  const width = String(count).length;
  return categories.map((category, i) => {
    const tools = TOOLS.slice(0, 2 + Math.floor(random() * (TOOLS.length - 1)));
    const unlucky = category.task === undefined ? -1 : Math.floor(random() * tools.length);
    return {
      id: `r-${String(i + 1).padStart(width, '0')}`,
      category,
      channel: category.channel ?? 'Staging',
      approver: category.approver ?? 'approve',
      tasks: tools.map((tool, t) => ({ tool, fate: t === unlucky ? category.task : 'passes' })),
    };
  });
}

const SECOND_NS = 1_000_000_000n;
/** Deadlines that are to pass, and all others. */
export const NEAR_NS = 2n * SECOND_NS;
const FAR_NS = 3_600n * SECOND_NS;

/**
 * The event that makes the requester order something.
 *
 * @param nowNs - logical time of both worlds, a bigint.
 */
export function wanted(order, workshopUrl, nowNs) {
  const [near, far] = [nowNs + NEAR_NS, nowNs + FAR_NS];
  return {
    order: {
      request_id: order.id,
      to_world: 'factory',
      reply_world: 'requester',
      requester: 'office',
      subject: `release ${order.id}`,
      workshop_url: workshopUrl,
      channel: { [order.channel]: null },
      approve_by_ns: String(order.approver === 'silent' ? near : far),
      tasks: order.tasks.map(({ tool, fate }) => ({
        task_id: `${order.id}/${tool}`,
        url: `${workshopUrl}/${fate === 'forbidden' ? 'vault' : 'tools'}/${tool}/${order.id}`,
        deadline_ns: String(fate === 'late' ? near : far),
      })),
    },
    answer_by_ns: String(far),
  };
}

/** Largest remainders: every category at least once, and in proportion. */
function spread(count) {
  if (count < CATEGORIES.length) throw new RangeError(`there are ${CATEGORIES.length} categories, one order for each`);
  const total = CATEGORIES.reduce((sum, { share }) => sum + share, 0);
  const wanted = CATEGORIES.map((category) => {
    const exact = (category.share * count) / total;
    return { category, exact, n: Math.max(1, Math.floor(category.killed ? Math.min(exact, category.share) : exact)) };
  });
  const growing = wanted.filter(({ category }) => !category.killed);
  for (let missing = count - sumOf(wanted); missing !== 0; missing -= Math.sign(missing)) {
    const by = (w) => (w.exact - w.n) * Math.sign(missing);
    const able = missing > 0 ? growing : wanted.filter(({ n }) => n > 1);
    able.reduce((best, w) => (by(w) > by(best) ? w : best)).n += Math.sign(missing);
  }
  return wanted.flatMap(({ category, n }) => Array(n).fill(category));
}

function sumOf(wanted) {
  return wanted.reduce((sum, { n }) => sum + n, 0);
}

function shuffle(list, random) {
  const shuffled = [...list];
  for (let i = shuffled.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [shuffled[i], shuffled[j]] = [shuffled[j], shuffled[i]];
  }
  return shuffled;
}

/** In [0, 1), the same for the same seed (mulberry32). */
function randomOf(seed) {
  let state = [...String(seed)].reduce((hash, char) => Math.imul(hash ^ char.codePointAt(0), 16777619), 2166136261);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
