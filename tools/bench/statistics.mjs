/** The value that a share of all values does not exceed; `share` in (0, 1]. */
export function percentile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)];
}

export function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

export function summary(times) {
  return { count: times.length, p50_ms: round(percentile(times, 0.5)), p95_ms: round(percentile(times, 0.95)) };
}

/** Three significant digits say all that a bench can. */
export function round(value) {
  return Number(value.toPrecision(3));
}
