import { ExprChecker } from './check-expr.ts';
import { evaluate, exprRefs } from './evaluate.ts';
import type { Env, Expr, RefExpr } from './expr.ts';
import { exprToJson } from './expr-parse.ts';
import { factKey, type Place, placeAt, spelledRef, textOf } from './facts.ts';
import { printJson } from './json.ts';
import type { LintPlan } from './lint-graph.ts';
import type { StaticType } from './static-type.ts';

/** What can be said of guards without running anything: that one is always false, that one of several is always true. */

const NOTHING: Env = {
  input: () => undefined,
  variable: () => undefined,
  step: () => undefined,
  event: () => undefined,
  receipt: () => undefined,
};

/** The value that a guard has whatever the instance; undefined when it depends. */
export function foldedGuard(expr: Expr): boolean | undefined {
  if (expr.form === 'op' && (expr.op === 'and' || expr.op === 'or')) {
    const parts = expr.args.map(foldedGuard);
    const decisive = expr.op === 'or';
    if (parts.includes(decisive)) return decisive;
    return parts.every((part) => part === !decisive) ? !decisive : undefined;
  }
  if (expr.form === 'op' && expr.op === 'not') {
    const part = expr.args[0] && foldedGuard(expr.args[0]);
    return part === undefined ? undefined : !part;
  }
  if (exprRefs(expr).length > 0) return undefined;
  const result = evaluate(expr, NOTHING);
  return result.ok && result.value.kind === 'bool' ? result.value.value : undefined;
}

/** More atoms than these are not tried out (`patterns.md` RL009). */
const ATOMS_MAX = 10;

/** A guard as a formula: atoms say in which of the values of their variable they hold. */
type Formula =
  | { readonly is: 'constant'; readonly value: boolean }
  | { readonly is: 'atom'; readonly variable: Variable; readonly holds: (value: string) => boolean }
  | { readonly is: 'not'; readonly part: Formula }
  | { readonly is: 'and' | 'or'; readonly parts: readonly Formula[] };

type Atom = Extract<Formula, { is: 'atom' }>;

/** Something that guards ask about, with every value that it can have there. */
interface Variable {
  values: readonly string[];
  /** Values that atoms name; a tag or status that none of them names is one further value. */
  readonly named: Set<string>;
  readonly atoms: Atom[];
}

/**
 * Is one of the guards true whatever happens? They stand on the edges out of one step, so they see the same values.
 *
 * `eq`/`ne`, `lt`/`ge`, `le`/`gt` of the same two things follow from how these compare; `has` and a comparison with null
 * ask the same of a place; a tag has one of its arms, a status is ok, error or timeout. What is known at the step counts.
 */
export function areExhaustive(guards: readonly Expr[], plan: LintPlan, step: number): boolean {
  const reader = new GuardReader(plan, step);
  const formulas = guards.map((guard) => reader.read(guard));
  const variables = [...reader.variables.values()];
  for (const variable of variables) reduceValues(variable);
  const atoms = variables.reduce((sum, { atoms: list }) => sum + distinct(list).length, 0);
  if (atoms > ATOMS_MAX) return false;
  const chosen = new Map<Variable, string>();
  const holdsEverywhere = (next: number): boolean => {
    const variable = variables[next];
    if (variable === undefined) return formulas.some((formula) => isTrue(formula, chosen));
    return variable.values.every((value) => {
      chosen.set(variable, value);
      return holdsEverywhere(next + 1);
    });
  };
  return holdsEverywhere(0);
}

function isTrue(formula: Formula, chosen: ReadonlyMap<Variable, string>): boolean {
  switch (formula.is) {
    case 'constant':
      return formula.value;
    case 'atom':
      return formula.holds(chosen.get(formula.variable) as string);
    case 'not':
      return !isTrue(formula.part, chosen);
    case 'and':
      return formula.parts.every((part) => isTrue(part, chosen));
    case 'or':
      return formula.parts.some((part) => isTrue(part, chosen));
    default:
      return formula satisfies never;
  }
}

/** Values that no atom tells apart are one value. */
function reduceValues(variable: Variable): void {
  const kept = new Map<string, string>();
  for (const value of variable.values) {
    const answers = variable.atoms.map(({ holds }) => (holds(value) ? '1' : '0')).join('');
    if (!kept.has(answers)) kept.set(answers, value);
  }
  variable.values = [...kept.values()];
}

/** Atoms that ask different things: one that asks the opposite asks the same. */
function distinct(atoms: readonly Atom[]): readonly Atom[] {
  const seen = new Set<string>();
  return atoms.filter(({ variable, holds }) => {
    const answers = variable.values.map((value) => (holds(value) ? '1' : '0')).join('');
    const opposite = variable.values.map((value) => (holds(value) ? '0' : '1')).join('');
    if (seen.has(answers) || seen.has(opposite)) return false;
    seen.add(answers);
    return true;
  });
}

const STATUSES = ['ok', 'error', 'timeout'];
const TRUTHS = ['true', 'false'];
const ORDERS = ['<', '=', '>'];

/** How the first compares with the second where an operation holds. */
const ORDERINGS: Readonly<Record<string, string>> = { eq: '=', ne: '<>', lt: '<', le: '<=', gt: '>', ge: '=>' };

class GuardReader {
  readonly variables = new Map<string, Variable>();
  /** Arms that the conjuncts to the left have asked for, by place: what is right of them is read only then. */
  private readonly assumed = new Map<string, string>();
  private readonly plan: LintPlan;
  private readonly step: number;

  constructor(plan: LintPlan, step: number) {
    this.plan = plan;
    this.step = step;
  }

  read(expr: Expr): Formula {
    const folded = foldedGuard(expr);
    if (folded !== undefined) return { is: 'constant', value: folded };
    if (expr.form !== 'op') return this.truth(expr);
    const [a, b] = expr.args;
    switch (expr.op) {
      case 'and':
        return { is: 'and', parts: this.conjuncts(expr.args) };
      case 'or':
        return { is: 'or', parts: expr.args.map((arg) => this.read(arg)) };
      case 'not':
        return a === undefined ? this.truth(expr) : { is: 'not', part: this.read(a) };
      case 'has': {
        const key = b && textOf(b);
        const whole = key === undefined || a === undefined ? undefined : this.key(a, key);
        return whole === undefined ? this.truth(expr) : this.presence(whole, true);
      }
      case 'eq':
      case 'ne':
      case 'lt':
      case 'le':
      case 'gt':
      case 'ge':
        return a === undefined || b === undefined ? this.truth(expr) : this.comparison(expr.op, a, b);
      default:
        return this.truth(expr);
    }
  }

  private conjuncts(args: readonly Expr[]): readonly Formula[] {
    const added: string[] = [];
    const parts = args.map((arg) => {
      const part = this.read(arg);
      const asked = armAsked(arg);
      const key = asked && this.key(asked.owner);
      if (asked !== undefined && key !== undefined && !this.assumed.has(key)) {
        this.assumed.set(key, asked.arm);
        added.push(key);
      }
      return part;
    });
    for (const key of added) this.assumed.delete(key);
    return parts;
  }

  private comparison(op: string, a: Expr, b: Expr): Formula {
    const isEquality = op === 'eq' || op === 'ne';
    if (isEquality) {
      const known = this.withConstant(a, b, op === 'eq') ?? this.withConstant(b, a, op === 'eq');
      if (known !== undefined) return known;
    }
    const [left, right] = [this.textOf(a), this.textOf(b)];
    const orders = ORDERINGS[op] as string;
    const isSwapped = left > right;
    const mirrored = { '<': '>', '=': '=', '>': '<' } as Readonly<Record<string, string>>;
    return this.atom(isSwapped ? `compare ${right} ${left}` : `compare ${left} ${right}`, ORDERS, (order) =>
      orders.includes(isSwapped ? (mirrored[order] as string) : order),
    );
  }

  /** A place compared with null, with a tag or status, or with a bool. */
  private withConstant(a: Expr, b: Expr, equal: boolean): Formula | undefined {
    if (b.form !== 'const' || a.form === 'const') return undefined;
    const { value } = b;
    if (value.kind === 'null') return this.presence(this.key(a), !equal);
    if (value.kind === 'bool') {
      const part = this.read(a);
      return value.value === equal ? part : { is: 'not', part };
    }
    const spelled = spelledRef(a);
    const last = spelled?.path.at(-1);
    if (value.kind !== 'text' || spelled === undefined || (last !== '$tag' && last !== '$status')) return undefined;
    const owner: RefExpr = { ...spelled.ref, path: spelled.path.slice(0, -1) };
    const place = this.place(owner);
    const values = last === '$tag' ? this.tags(owner, place) : this.statuses(place);
    const name = value.value;
    // The same place has other arms where another arm around it was asked for.
    const within = last === '$tag' ? this.armsAround(owner) : '';
    const key = `${last} ${this.key(owner)}${within}`;
    const atom = this.atom(key, values ?? [OTHER], (found) => (found === name) === equal);
    if (values === undefined && !atom.variable.named.has(name)) {
      atom.variable.named.add(name);
      atom.variable.values = [...atom.variable.values, name];
    }
    return atom;
  }

  private presence(key: string, present: boolean): Formula {
    return this.atom(`some ${key}`, TRUTHS, (value) => (value === 'true') === present);
  }

  private truth(expr: Expr): Formula {
    return this.atom(`truth ${this.textOf(expr)}`, TRUTHS, (value) => value === 'true');
  }

  private atom(key: string, values: readonly string[], holds: (value: string) => boolean): Atom {
    let variable = this.variables.get(key);
    if (variable === undefined) {
      variable = { values, named: new Set(), atoms: [] };
      this.variables.set(key, variable);
    }
    const atom: Atom = { is: 'atom', variable, holds };
    variable.atoms.push(atom);
    return atom;
  }

  private place(expr: Expr): Place | undefined {
    return this.plan.placeOf(expr, { at: 'edge', from: this.step });
  }

  private fact(kind: 'tag' | 'payload' | 'some', place: Place | undefined): string | undefined {
    return place && this.plan.types.places.flow.at(this.step, factKey(kind, place));
  }

  private statuses(place: Place | undefined): readonly string[] {
    if (this.fact('payload', place) !== undefined) return ['ok'];
    const failed = this.fact('some', place && placeAt(place, ['$error'])) !== undefined;
    return failed ? STATUSES.filter((status) => status !== 'ok') : STATUSES;
  }

  /** Arms of a variant; undefined where they are not known. */
  private tags(owner: RefExpr, place: Place | undefined): readonly string[] | undefined {
    const known = this.fact('tag', place);
    if (known !== undefined) return [known];
    const arms = this.variant(owner);
    return arms === undefined ? undefined : [...arms.keys()];
  }

  /** Arms with their types, also of a variant inside an arm that a conjunct to the left has asked for. */
  private variant(owner: RefExpr): ReadonlyMap<string, StaticType> | undefined {
    const { table } = this.plan.context;
    const around = variantAround(owner);
    const arm = around && this.assumed.get(this.key(around));
    const payload = around && arm !== undefined ? this.variant(around)?.get(arm) : undefined;
    const env = this.plan.types.env({ at: 'edge', from: this.step });
    const type = table.resolve(payload ?? new ExprChecker(env, '', () => {}).assigned(owner));
    const inner = type.kind === 'option' ? table.resolve(type.item) : type;
    return inner.kind === 'variant' ? inner.arms : undefined;
  }

  private armsAround(owner: RefExpr): string {
    const around = variantAround(owner);
    if (around === undefined) return '';
    const arm = this.assumed.get(this.key(around));
    return `${this.armsAround(around)}${arm === undefined ? '' : ` in ${arm}`}`;
  }

  /** One text for a place, whatever its spelling; for other expressions what is written. */
  private key(expr: Expr, field?: string): string {
    const place = this.place(expr);
    const spelled = spelledRef(expr);
    const more = field === undefined ? [] : [field];
    if (place !== undefined) return JSON.stringify([place.root, [...place.path, ...more]]);
    if (spelled !== undefined) return JSON.stringify([spelled.ref.root, spelled.ref.name, [...spelled.path, ...more]]);
    return JSON.stringify([printJson(exprToJson(expr)), more]);
  }

  private textOf(expr: Expr): string {
    return spelledRef(expr) === undefined ? printJson(exprToJson(expr)) : this.key(expr);
  }
}

/** A tag that no guard names. */
const OTHER = '';

/** `P` of a place `P.$value`. */
function variantAround({ path, ...ref }: RefExpr): RefExpr | undefined {
  return path.at(-1) === '$value' ? { ...ref, path: path.slice(0, -1) } : undefined;
}

/** `P` and `T` of a conjunct `eq(P.$tag, "T")`. */
function armAsked(expr: Expr): { readonly owner: RefExpr; readonly arm: string } | undefined {
  if (expr.form !== 'op' || expr.op !== 'eq') return undefined;
  const [a, b] = expr.args;
  for (const [place, constant] of [
    [a, b],
    [b, a],
  ] as const) {
    const spelled = place && spelledRef(place);
    const arm = constant && textOf(constant);
    if (spelled === undefined || arm === undefined || spelled.path.at(-1) !== '$tag') continue;
    return { owner: { ...spelled.ref, path: spelled.path.slice(0, -1) }, arm };
  }
  return undefined;
}
