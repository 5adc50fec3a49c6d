// Arithmetic of the bench and the soak; no clock, no disk, so that test/house/bench.test.ts can hold it to account.

/** The value that a share of all values does not exceed; `share` in (0, 1]. */
export function percentile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)];
}

/**
 * What something takes when nothing disturbs it: the value that nine tenths exceed. Neighbours, the collector and the
 * hypervisor only ever add; of many short measurements the lowest ones are those that they left alone.
 */
export function floor(values) {
  return percentile(values, 0.1);
}

/** The middle value, or the mean of the two in the middle. */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

export function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/**
 * Change of y per unit of x, by least squares.
 *
 * @param points - `[x, y]`, at least two with different x.
 */
export function slope(points) {
  const x = mean(points.map((point) => point[0]));
  const y = mean(points.map((point) => point[1]));
  const spread = points.reduce((sum, point) => sum + (point[0] - x) ** 2, 0);
  return points.reduce((sum, point) => sum + (point[0] - x) * (point[1] - y), 0) / spread;
}

/** Three significant digits say all that a bench can. */
export function round(value) {
  return Number(value.toPrecision(3));
}
