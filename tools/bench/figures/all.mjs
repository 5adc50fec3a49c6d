import { apply } from './apply.mjs';
import { check } from './check.mjs';
import { delivery } from './delivery.mjs';
import { fanOut } from './fan-out.mjs';
import { journalBytes } from './journal-bytes.mjs';
import { memory } from './memory.mjs';
import { open } from './open.mjs';
import { replay } from './replay.mjs';
import { snapshot } from './snapshot.mjs';
import { start } from './start.mjs';
import { steps } from './steps.mjs';
import { summary } from './summary.mjs';
import { workflows } from './workflows.mjs';

/**
 * Every figure by its name for `--only`, in the order of the report. Each is one function `(bench) → rows`.
 *
 * A row: `id`, `what` it is, `value` and `unit`; `bound` (`{ max }` or `{ min }`) where one is set; `note`: sample sizes
 * and the absolute numbers behind a ratio; `gate`: `{ value, unit, better }`, the form that the stored ratios compare, `isCounted` when no clock has
 * a part in it.
 */
export const FIGURES = {
  steps,
  workflows,
  'fan-out': fanOut,
  'journal-bytes': journalBytes,
  apply,
  replay,
  open,
  summary,
  memory,
  delivery,
  snapshot,
  check,
  start,
};
