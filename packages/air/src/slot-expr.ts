import type { Expr, Slot } from './expr.ts';
import { constant } from './fold.ts';
import { typeOfScalar } from './static-type.ts';
import type { Value } from './value.ts';

/** A slot as an expression: a literal of a variable without declared type is typed by its tags. */
export function slotExpr(slot: Slot): Expr {
  return slot.expr === undefined ? literalExpr(slot.literal) : slot.expr;
}

function literalExpr(value: Value): Expr {
  switch (value.kind) {
    case 'list':
    case 'set':
      return { form: value.kind, items: value.items.map(literalExpr) };
    case 'map':
      return { form: 'map', entries: value.entries.map(([key, item]) => [literalExpr(key), literalExpr(item)]) };
    case 'record':
      return { form: 'record', fields: [...value.fields].map(([name, field]) => [name, literalExpr(field)]) };
    case 'variant':
      return { form: 'variant', tag: value.tag, value: literalExpr(value.value) };
    default:
      // Nothing else is written as a literal.
      typeOfScalar(value);
      return constant(value);
  }
}
