import { AUTHORITY } from './authority.ts';
import type { DiagnosticEntry, DiagnosticGroup } from './entry.ts';
import { EXPRESSIONS } from './expressions.ts';
import { FOLDER } from './folder.ts';
import { IMPORTS } from './imports.ts';
import { LINTS } from './lints.ts';
import { MANIFEST } from './manifest.ts';
import { MODULES } from './modules.ts';
import { PLANS } from './plans.ts';
import { SECRETS } from './secrets.ts';
import { STRUCTURE } from './structure.ts';
import { SUBPLANS } from './subplans.ts';
import { TRIGGERS } from './triggers.ts';
import { TYPES } from './types.ts';
import { VALUES } from './values.ts';

/**
 * Every code that `worldline check` can print, in the order in which a newcomer meets them. The one source of
 * `check --explain` and of `docs/diagnostics.md`. Loaded by those two only: it is text, and start-up pays for text.
 */
export const DIAGNOSTIC_GROUPS: readonly DiagnosticGroup[] = [
  STRUCTURE,
  MANIFEST,
  TYPES,
  PLANS,
  VALUES,
  EXPRESSIONS,
  TRIGGERS,
  AUTHORITY,
  SECRETS,
  SUBPLANS,
  LINTS,
  MODULES,
  FOLDER,
  IMPORTS,
];

export const DIAGNOSTICS: ReadonlyMap<string, DiagnosticEntry> = new Map(
  DIAGNOSTIC_GROUPS.flatMap(({ entries }) => entries.map((entry) => [entry.code, entry])),
);

/** Codes of a rule, `V-512`, in the order of the table. */
export function codesOfRule(rule: string): readonly DiagnosticEntry[] {
  return [...DIAGNOSTICS.values()].filter(({ rules }) => rules.includes(rule));
}
