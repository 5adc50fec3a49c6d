import type { Path } from '@worldline/canon';
import type { Edit } from './diagnostic.ts';
import type { Expr, Slot } from './expr.ts';
import { spelledRef, textOf } from './facts.ts';
import { type Lint, type LintWorld, ofPlan, withEdit } from './lint.ts';
import {
  bindPath,
  fieldOf,
  isFabricSend,
  isTimer,
  type LintPlan,
  partsOf,
  slotsOf,
  TIMED_OUT,
  type Use,
} from './lint-graph.ts';
import type { Step } from './node.ts';
import { mayHoldSecrets } from './secret-refs.ts';
import { slotExpr } from './slot-expr.ts';
import { boundName } from './step.ts';
import type { Type, TypeScope } from './type.ts';
import { tryResolveType } from './type-resolve.ts';

/** Lints about effects and their receipts: RL003, RL005, RL006, RL008, RL012, RL016, RL017 (`patterns.md` §8). */

type Emit = Extract<Step, { op: 'emit_effect' }>;

export const EFFECT_LINTS: readonly Lint[] = [
  ofPlan('RL003', 'warning', (plan, report, world) => {
    for (const [step, emit] of plan.steps('emit_effect')) {
      if (emit.idempotencyKey !== undefined || isRead(emit) || hasDerivedKey(emit.kind)) continue;
      const id = requestId(plan, world);
      const key = recommendedKey(plan, emit, id ?? '<request id>');
      report({
        step,
        path: plan.stepPath(step),
        message: `"${emit.id}" of ${plan.name} emits ${emit.kind} without idempotency_key: a retry or a second instance with equal params cannot be told apart`,
        hint: `Add "idempotency_key": ${key}.`,
        ...withEdit(id === undefined ? undefined : keyEdit(plan, step, key)),
      });
    }
  }),
  ofPlan('RL005', 'warning', (plan, report, { world }) => {
    for (const [step, definition] of plan.def.steps.entries()) {
      for (const [name, slot] of slotsOf(definition)) {
        const type = plan.slotType(step, name);
        if (type === undefined) continue;
        for (const { path, schema } of plainSecrets(slotExpr(slot), type, world.scope)) {
          report({
            step,
            ...plan.slotPath(step, name, path),
            message: `"${definition.id}" of ${plan.name} writes a ${schema} as a literal: whoever reads the plan or the journal reads the secret`,
            hint: 'Declare a secret and refer to it: {"secret": {"alias": "<alias>", "version": 1}}.',
            fields: { schema },
          });
        }
      }
    }
  }),
  ofPlan('RL006', 'warning', (plan, report) => {
    for (const [step, emit] of plan.steps('emit_effect')) {
      if (emit.kind !== 'approval.request') continue;
      const waits = waitsOf(plan, step);
      if (waits.length === 0) continue;
      const isDecided = waits.some((wait) => {
        const reads = readersOf(plan, wait, ['decision']);
        return plan.uses.some((use) => {
          if (use.kind !== 'guard' || !reads(use)) return false;
          const from = plan.indexOf(plan.def.edges[use.edge]?.from ?? '');
          return from === wait || plan.descendants[wait]?.has(from) === true;
        });
      });
      if (isDecided) continue;
      report({
        step,
        path: plan.stepPath(step),
        message: `"${emit.id}" of ${plan.name} asks for an approval, and no guard behind its await looks at the decision`,
        hint: 'Guard what needs the approval with {"op": "eq", "args": [{"ref": "@var:<receipt>.decision"}, {"text": "approved"}]}.',
      });
    }
  }),
  ofPlan('RL008', 'warning', (plan, report) => {
    for (const [step, { id, as }] of plan.steps('await_receipt')) {
      const isChecked = plan.uses.some(
        (use) => readsReceipt(plan, use, step, ['$status']) || readsReceipt(plan, use, step, ['$error']),
      );
      if (isChecked) continue;
      report({
        step,
        path: plan.stepPath(step),
        message: `nothing in ${plan.name} looks at $status or $error of "${as}", which "${id}" binds: a failure goes unnoticed`,
        hint: `Guard the edges behind "${id}" with @var:${as}.$status.`,
        fields: { name: as },
      });
    }
  }),
  ofPlan('RL012', 'info', (plan, report) => {
    for (const [step, { id, kind }] of plan.steps('emit_effect')) {
      if (waitsOf(plan, step).length > 0) continue;
      report({
        step,
        path: bindPath(plan, step),
        message: `"${id}" of ${plan.name} emits ${kind}, and no step awaits its receipt`,
        hint: 'Await the receipt where the outcome matters.',
      });
    }
  }),
  ofPlan('RL016', 'warning', (plan, report) => {
    for (const [step, emit] of plan.steps('emit_effect')) {
      if (!isTimer(emit.kind)) continue;
      const at = emit.kind === 'timer.set' ? fieldOf(emit.params, 'deliver_at_ns') : undefined;
      if (at !== undefined && isEarly(at)) {
        report({
          step,
          ...plan.slotPath(step, 'params', ['record', 'deliver_at_ns']),
          message: `deliver_at_ns of "${emit.id}" of ${plan.name} is a constant long past: it is an absolute time in nanoseconds since 1970`,
          hint: 'Take the deadline from the input, or use timer.after for a time from now.',
        });
      }
      if (isDeadline(emit.params)) for (const end of unmarkedEnds(plan, step)) report(end);
    }
    for (const [step, { id, op }] of plan.def.steps.entries()) {
      if (!buildsTimedOut(plan, step) || (op !== 'end' && op !== 'raise_event')) continue;
      if (plan.ancestors[step]?.meets(plan.timerWaits) || plan.knowsTimedOut(step)) continue;
      report({
        step,
        path: plan.stepPath(step, op === 'end' ? 'result' : 'value'),
        message: `"${id}" of ${plan.name} says ${TIMED_OUT} where no timer can have fired: the arm is reserved for a deadline that won`,
        hint: `Use another arm, or let "${id}" follow the await of a timer.`,
      });
    }
  }),
  ofPlan('RL017', 'warning', (plan, report, world) => {
    for (const [step, emit] of plan.steps('emit_effect')) {
      const { id, idempotencyKey } = emit;
      if (idempotencyKey === undefined || mentions(slotExpr(idempotencyKey))) continue;
      report({
        step,
        path: plan.stepPath(step, 'idempotency_key'),
        message: `the idempotency_key of "${id}" of ${plan.name} is the same for every run: a second run gets the receipt of the first while that is open`,
        // Not mended by itself: who wrote one key for all runs may have meant one effect for all of them.
        hint: `Put the id of the request into the key: ${recommendedKey(plan, emit, requestId(plan, world) ?? '<request id>')}.`,
      });
    }
  }),
];

/** Await steps of what a step emits. */
function waitsOf(plan: LintPlan, emit: number): readonly number[] {
  return [...plan.waits].filter((wait) => plan.sources[wait]?.includes(emit));
}

/** Does a use read something below this path of the receipt that a wait binds? */
function readsReceipt(plan: LintPlan, use: Use, wait: number, path: readonly string[]): boolean {
  if (use.kind === 'handle') return false;
  const step = plan.step(wait);
  const { ref } = use;
  if (ref.root === 'var' && ref.name === boundName(step)) return path.every((part, index) => use.path[index] === part);
  if (ref.root === 'step' && ref.name === step.id) return path.every((part, index) => use.path[index] === part);
  if (ref.root !== 'var' || use.kind === 'invariant') return false;
  // A variable that was assigned the receipt, or a part of it.
  const place = plan.placeOf({ ...ref, path: use.path }, { at: 'step', step: use.step });
  return place?.root === `step ${wait}` && path.every((part, index) => place.path[index] === part);
}

/** Reads below a path of a receipt, also of what an assign has made of that. */
function readersOf(plan: LintPlan, wait: number, path: readonly string[]): (use: Use) => boolean {
  const made = new Set<string>();
  const reads = (use: Use) =>
    readsReceipt(plan, use, wait, path) || (use.ref.root === 'var' && made.has(use.ref.name ?? ''));
  const assigns = plan.uses.filter(
    (use): use is Exclude<Use, { kind: 'invariant' }> => use.kind === 'slot' && plan.step(use.step).op === 'assign',
  );
  for (const step of plan.order) {
    for (const use of assigns) if (use.step === step && reads(use)) made.add(boundName(plan.step(step)) as string);
  }
  return reads;
}

// RL003

const READS: ReadonlySet<string> = new Set([
  'workspace.resolve',
  'workspace.list',
  'workspace.read_ref',
  'workspace.read_bytes',
  'workspace.diff',
  'workspace.annotations_get',
  'blob.get',
]);
const READ_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

function isRead({ kind, params }: Emit): boolean {
  if (kind.startsWith('introspect.') || READS.has(kind)) return true;
  if (kind !== 'http.request') return false;
  const method = fieldOf(params, 'method');
  return READ_METHODS.has((method && textOf(method))?.toUpperCase() ?? '');
}

/** The kernel derives a key from the origin. */
function hasDerivedKey(kind: string): boolean {
  return kind.startsWith('timer.') || kind === 'approval.request' || isFabricSend(kind);
}

/** Fields that carry a request's id by convention (`patterns.md` §1.3). */
const ID_FIELDS = ['request_id', 'correlation_id', 'id'];

/** The path of the plan's request id in its input, when there is exactly one candidate. */
function requestId(plan: LintPlan, world: LintWorld): string | undefined {
  const correlated = new Set(
    world.triggers.flatMap(({ plan: name, correlateBy, inputExpr }) =>
      name === plan.name && correlateBy !== undefined && inputExpr === undefined ? [correlateBy.join('.')] : [],
    ),
  );
  if (correlated.size > 0) return correlated.size === 1 ? [...correlated][0] : undefined;
  const input = tryResolveType({ kind: 'ref', name: plan.def.input }, world.world.scope);
  const fields = input?.kind === 'record' ? ID_FIELDS.filter((name) => input.fields.has(name)) : [];
  return fields.length === 1 ? fields[0] : undefined;
}

/** `hash(record{op: "<flow>.<step>", id: <request id>})`. */
function recommendedKey(plan: LintPlan, { id: step }: Emit, id: string): string {
  const local = plan.name.slice(plan.name.indexOf('/') + 1, plan.name.lastIndexOf('@'));
  const flow = local.replace(/^(entry_|core_|adapter_|_internal_)/, '');
  return (
    `{ "op": "hash", "args": [ { "record": { "op": { "text": ${JSON.stringify(`${flow}.${step}`)} }, ` +
    `"id": { "ref": ${JSON.stringify(`@plan.input.${id}`)} } } } ] }`
  );
}

function keyEdit(plan: LintPlan, step: number, key: string): Edit {
  return { kind: 'add', path: plan.stepPath(step), member: 'idempotency_key', text: key, before: 'bind' };
}

// RL005

const SECRET_OR_LITERAL: ReadonlySet<string> = new Set(['sys/TextOrSecretRef@1', 'sys/BytesOrSecretRef@1']);

/** Places where a value that could be a reference to a secret is written down. */
function plainSecrets(
  expr: Expr,
  type: Type,
  scope: TypeScope,
): readonly { readonly path: Path; readonly schema: string }[] {
  if (expr.form === 'ref' || expr.form === 'const' || expr.form === 'op' || !mayHoldSecrets(type, scope)) return [];
  const schema = passesThrough(type, scope);
  if (schema !== undefined) return expr.form === 'variant' && expr.tag === 'literal' ? [{ path: [], schema }] : [];
  const resolved = tryResolveType(type, scope);
  const inner = resolved?.kind === 'option' ? resolved.item : undefined;
  if (inner !== undefined) return plainSecrets(expr, inner, scope);
  return partsOf(expr).flatMap(([part, path]) => {
    const below = partType(resolved, expr, path);
    if (below === undefined) return [];
    return plainSecrets(part, below, scope).map((found) => ({ ...found, path: [...path, ...found.path] }));
  });
}

function passesThrough(type: Type, scope: TypeScope): string | undefined {
  let current: Type | undefined = type;
  while (current?.kind === 'ref') {
    if (SECRET_OR_LITERAL.has(current.name)) return current.name;
    current = scope.lookup(current.name);
  }
  return undefined;
}

function partType(type: Type | undefined, expr: Expr, path: Path): Type | undefined {
  switch (type?.kind) {
    case 'record':
      return expr.form === 'record' ? type.fields.get(String(path[1])) : undefined;
    case 'variant':
      return expr.form === 'variant' ? type.arms.get(expr.tag) : undefined;
    case 'list':
      return type.item;
    case 'map':
      return path.at(-1) === 'value' ? type.value : undefined;
    default:
      return undefined;
  }
}

// RL016

/** Less than this is no time since 1970 in nanoseconds that anybody means: 11 days. */
const EARLY_MAX = 10n ** 15n - 1n;

/** Zero asks for the clock. */
function isEarly(at: Expr): boolean {
  if (at.form !== 'const' || (at.value.kind !== 'nat' && at.value.kind !== 'int')) return false;
  return at.value.value >= 1n && at.value.value <= EARLY_MAX;
}

/** Is the key of a timer one of a deadline (`patterns.md` R7)? */
function isDeadline(params: Slot): boolean {
  const key = fieldOf(params, 'key');
  if (key === undefined) return false;
  const first = key.form === 'op' && key.op === 'concat' ? key.args[0] : key;
  return (first && textOf(first))?.startsWith('deadline:') === true;
}

function unmarkedEnds(plan: LintPlan, timer: number) {
  return waitsOf(plan, timer).flatMap((wait) =>
    [...plan.firesInto(wait)].flatMap((end) => {
      const { id, op } = plan.step(end);
      if (op !== 'end' || buildsTimedOut(plan, end)) return [];
      const isRaised = plan
        .steps('raise_event')
        .some(
          ([raise]) =>
            plan.descendants[wait]?.has(raise) && plan.ancestors[end]?.has(raise) && buildsTimedOut(plan, raise),
        );
      if (isRaised) return [];
      return [
        {
          step: end,
          path: plan.stepPath(end),
          message: `the deadline "${plan.id(timer)}" of ${plan.name} leads to "${id}", which does not say ${TIMED_OUT}: summaries cannot tell that it won`,
          hint: `End with the arm ${TIMED_OUT}, or raise an event that holds it on the way.`,
        },
      ];
    }),
  );
}

function buildsTimedOut(plan: LintPlan, step: number): boolean {
  return slotsOf(plan.step(step)).some(([, slot]) => builds(slotExpr(slot)));
}

function builds(expr: Expr): boolean {
  if (expr.form === 'variant' && expr.tag === TIMED_OUT) return true;
  return partsOf(expr).some(([part]) => builds(part));
}

function mentions(expr: Expr): boolean {
  return spelledRef(expr) !== undefined || partsOf(expr).some(([part]) => mentions(part));
}
