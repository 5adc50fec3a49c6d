import type { MutationClass } from './mutant.ts';
import { AUTHORITY_CLASSES } from './mutant-authority.ts';
import { FORM_CLASSES, SCOPE_CLASSES, TYPED_CLASSES } from './mutant-expressions.ts';
import { FILE_CLASSES } from './mutant-files.ts';
import { SLOT_CLASSES } from './mutant-slots.ts';
import { HARMLESS_CLASSES, STRUCTURE_CLASSES } from './mutant-structure.ts';
import { TYPEDEF_CLASSES } from './mutant-typedefs.ts';
import { WIRING_CLASSES } from './mutant-wiring.ts';

/** Every class of mutations. */
export const MUTATION_CLASSES: readonly MutationClass[] = [
  ...FILE_CLASSES,
  ...STRUCTURE_CLASSES,
  ...TYPEDEF_CLASSES,
  ...WIRING_CLASSES,
  ...SLOT_CLASSES,
  ...FORM_CLASSES,
  ...SCOPE_CLASSES,
  ...TYPED_CLASSES,
  ...AUTHORITY_CLASSES,
  ...HARMLESS_CLASSES,
];
