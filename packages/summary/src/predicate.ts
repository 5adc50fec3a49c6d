import { type Env, type Expr, encodeValue, evaluate, exprRefs, exprText, isData, type Json } from '@worldline/air';
import { untypedJson } from './record-json.ts';

/** Why a predicate over an event does not hold: each of its conjuncts, judged alone. */

export interface Conjunct {
  /** As people read it: `event.correlation_id == correlation_id`. */
  readonly expr: string;
  /** `error`: it cannot be evaluated on this event, which means that it does not hold. */
  readonly verdict: 'true' | 'false' | 'error';
  /** Code of the evaluation error. */
  readonly error?: string | undefined;
  /** For a comparison of the event with something else: what came, and what it is compared with. */
  readonly came?: Json | undefined;
  readonly wanted?: Json | undefined;
}

const COMPARISONS: ReadonlySet<string> = new Set(['eq', 'ne', 'lt', 'le', 'gt', 'ge']);

/** @returns one entry for each operand of the outermost `and`, also of those nested in it, in written order. */
export function judgePredicate(where: Expr, env: Env): readonly Conjunct[] {
  if (where.form === 'op' && where.op === 'and') return where.args.flatMap((arg) => judgePredicate(arg, env));
  const verdict = evaluate(where, env);
  const expr = exprText(where);
  if (!verdict.ok) return [{ expr, verdict: 'error', error: verdict.failure.code, ...sides(where, env) }];
  const holds = verdict.value.kind === 'bool' && verdict.value.value;
  return [{ expr, verdict: holds ? 'true' : 'false', ...sides(where, env) }];
}

export function holds(conjuncts: readonly Conjunct[]): boolean {
  return conjuncts.every(({ verdict }) => verdict === 'true');
}

/** What keeps it from holding, in words. Values are cut: whoever needs them whole reads the JSON. */
export function differences(conjuncts: readonly Conjunct[]): string {
  return conjuncts
    .filter(({ verdict }) => verdict !== 'true')
    .map(({ expr, verdict, error, came, wanted }) => {
      if (verdict === 'error') return `${expr}: the event has no such value (${error})`;
      if (came === undefined || wanted === undefined) return `${expr} is false`;
      return `${expr}: ${shown(came)} came, ${shown(wanted)} is waited for`;
    })
    .join('; ');
}

const SHOWN_MAX = 80;

export function shown(value: Json): string {
  const points = [...JSON.stringify(value, (_, v: unknown) => (typeof v === 'bigint' ? v.toString() : v))];
  return points.length <= SHOWN_MAX ? points.join('') : `${points.slice(0, SHOWN_MAX).join('')}…`;
}

function sides(where: Expr, env: Env): Pick<Conjunct, 'came' | 'wanted'> {
  if (where.form !== 'op' || !COMPARISONS.has(where.op)) return {};
  const [left, right] = where.args as readonly [Expr, Expr];
  const [isLeft, isRight] = [readsEvent(left), readsEvent(right)];
  if (isLeft === isRight) return {};
  const [event, other] = isLeft ? [left, right] : [right, left];
  return { came: jsonOf(evaluate(event, env)), wanted: jsonOf(evaluate(other, env)) };
}

function readsEvent(expr: Expr): boolean {
  return exprRefs(expr).some(({ ref }) => ref.root === 'event');
}

function jsonOf(result: ReturnType<typeof evaluate>): Json | undefined {
  return result.ok && isData(result.value) ? untypedJson(encodeValue(result.value)) : undefined;
}
