import type { Expr, Slot } from './expr.ts';
import { printJson } from './json.ts';
import { literalToJson } from './literal.ts';
import type { Value } from './value.ts';

/** Expressions as people read them: `build.$status == "ok" and has(build.headers, "x-status")`. */

const INFIX: Readonly<Record<string, string>> = {
  eq: '==',
  ne: '!=',
  lt: '<',
  le: '<=',
  gt: '>',
  ge: '>=',
  and: 'and',
  or: 'or',
  add: '+',
  sub: '-',
  mul: '*',
  div: '/',
  mod: '%',
  concat: '++',
};

export function exprText(expr: Expr): string {
  switch (expr.form) {
    case 'ref':
      return refText(expr.text);
    case 'const':
      return valueText(expr.value);
    case 'op': {
      const sign = INFIX[expr.op];
      if (sign !== undefined) return expr.args.map((arg) => operand(arg, expr.op)).join(` ${sign} `);
      if (expr.op === 'not') return `not ${operand(expr.args[0]!, expr.op)}`;
      return `${expr.op}(${expr.args.map(exprText).join(', ')})`;
    }
    case 'record':
      return `{ ${expr.fields.map(([name, field]) => `${name}: ${exprText(field)}`).join(', ')} }`;
    case 'list':
      return `[${expr.items.map(exprText).join(', ')}]`;
    case 'set':
      return `set(${expr.items.map(exprText).join(', ')})`;
    case 'map':
      return `map(${expr.entries.map(([key, value]) => `${exprText(key)}: ${exprText(value)}`).join(', ')})`;
    case 'variant':
      return expr.value === undefined ? expr.tag : `${expr.tag}(${exprText(expr.value)})`;
    default:
      return expr satisfies never;
  }
}

export function slotText(slot: Slot): string {
  return slot.expr === undefined ? valueText(slot.literal) : exprText(slot.expr);
}

const COMPARISONS: readonly string[] = ['eq', 'ne', 'lt', 'le', 'gt', 'ge'];

/** An operation inside another one stands in parentheses, so that nobody has to know which sign binds closer. */
function operand(expr: Expr, parent: string): string {
  const text = exprText(expr);
  if (expr.form !== 'op' || (INFIX[expr.op] === undefined && expr.op !== 'not')) return text;
  const isConjunct = (parent === 'and' || parent === 'or') && COMPARISONS.includes(expr.op);
  return isConjunct ? text : `(${text})`;
}

/** Variables by their name, the rest by where it comes from: `build.$status`, `input.id`, `event.id`, `@step:ask.params`. */
function refText(text: string): string {
  return text
    .replace(/^@var:/, '')
    .replace(/^@plan\./, '')
    .replace(/^@event/, 'event');
}

function valueText(value: Value): string {
  switch (value.kind) {
    case 'null':
      return 'none';
    case 'bool':
    case 'int':
    case 'nat':
      return String(value.value);
    case 'text':
      return JSON.stringify(value.value);
    case 'receipt':
    case 'handle':
      return value.kind;
    default:
      return printJson(literalToJson(value));
  }
}
