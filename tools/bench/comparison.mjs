// Comparing measured gates with the stored ones. No clock, no disk: test/house/bench.test.ts holds it to account.

/** A figure may be worse than its reference by this share; beyond it has fallen. */
export const TOLERANCE = 0.3;

/**
 * Below this share of the machine, times say how long it kept us waiting and what it left of the caches, and nothing of
 * the code. What is counted is counted all the same.
 */
export const SHARE_MIN = 0.85;

/**
 * By what share a gate is worse than its reference: 0.5 = half as much again (or two thirds of the rate); negative when
 * it is better.
 */
export function fall({ value, better }, reference) {
  return (better === 'lower' ? value / reference : reference / value) - 1;
}

/** The better of two measurements of one gate. */
export function betterOf(a, b) {
  if (a === undefined) return b;
  const first = a.better === 'lower' ? a.value <= b.value : a.value >= b.value;
  return first ? a : b;
}

/**
 * Measures in rounds until nothing has fallen or the attempts are used up. Noise only ever makes a figure worse, so the
 * best of its attempts is what counts, and only figures with a fallen row are measured again, after all others: what
 * disturbed a figure lasts for seconds, often longer than the figure.
 *
 * @param figures - name → function that is given the number of the attempt and resolves to rows.
 * @param references - row id → reference value.
 * @param share - resolves to the part of the machine that we get. A timed gate that still falls while it is below
 *   `SHARE_MIN` is `undecided`, and so not unmet.
 * @returns one verdict per gate: `id`, `what`, the best `gate`, its `reference` (undefined: none is stored), `fall`,
 *   `attempts` and `isMet`. A row that this system cannot measure gives a verdict with its `failure`.
 */
export async function compareAll(figures, references, attempts, share = async () => 1) {
  const verdicts = new Map();
  let open = Object.values(figures);
  for (let attempt = 1; attempt <= attempts && open.length > 0; attempt++) {
    const fallen = [];
    for (const measure of open) {
      const rows = await measure(attempt);
      for (const row of rows) {
        if (row.gate === undefined && row.failure === undefined) continue;
        verdicts.set(row.id, verdictOf(row, verdicts.get(row.id)?.gate, references[row.id], attempt));
      }
      if (rows.some((row) => verdicts.get(row.id)?.isMet === false)) fallen.push(measure);
    }
    open = fallen;
  }
  if (open.length > 0 && (await share()) < SHARE_MIN) {
    for (const verdict of verdicts.values()) {
      if (verdict.isMet || verdict.gate.isCounted) continue;
      Object.assign(verdict, { isMet: true, undecided: true });
    }
  }
  return [...verdicts.values()];
}

function verdictOf({ id, what, gate, failure }, before, reference, attempts) {
  if (failure !== undefined) return { id, what, failure, attempts, isMet: true };
  const best = betterOf(before, gate);
  const by = reference === undefined ? undefined : fall(best, reference);
  return { id, what, gate: best, reference, fall: by, attempts, isMet: by === undefined || by <= TOLERANCE };
}

/** Stored ratios that nothing measured: a figure was renamed or lost, and its reference must not go stale unseen. */
export function unmeasured(verdicts, references) {
  const seen = new Set(verdicts.map((verdict) => verdict.id));
  return Object.keys(references).filter((id) => !seen.has(id));
}

/** Whether a value keeps its bound; undefined when it has none. */
export function keeps(value, bound) {
  if (bound === undefined) return undefined;
  return bound.max === undefined ? value >= bound.min : value <= bound.max;
}
