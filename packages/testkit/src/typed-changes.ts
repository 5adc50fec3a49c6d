import { parseJson, printJson } from '@worldline/air';
import fc from 'fast-check';
import { type Authored, copy } from './mutant.ts';
import { Choices, choicesArb } from './typed-choices.ts';
import { type TypedWorld, typedWorldArb, type WorldShape } from './typed-world.ts';

/**
 * Well-typed worlds that somebody went on working on: expressions in each other's place, variables run together, steps that
 * bind what they read, edges moved. Most of them are refused, and rightly; what is accepted must run like any other
 * (`typed-run.ts`). These plans are stranger than what is made on purpose: nobody binds one variable by a receipt, a number
 * and itself.
 */

/** What is here is a starting point only: whether it is accepted, the loader says. */
export function changedWorldArb(shape: WorldShape = {}): fc.Arbitrary<TypedWorld> {
  return fc
    .tuple(typedWorldArb(shape), fc.array(choicesArb(12), { minLength: 1, maxLength: 4, size: 'max' }))
    .map(([world, changes]) => changed(world, changes));
}

function changed(world: TypedWorld, changes: readonly (readonly number[])[]): TypedWorld {
  const read = parseJson(world.text);
  if (!read.ok) throw new Error(read.failure.message);
  const nodes: Authored[] = (read.value as Authored[]).map(copy);
  const plans = nodes.filter(({ $kind }) => $kind === 'defplan');
  const schemas = nodes.flatMap((node): string[] =>
    node.$kind === 'defschema' ? [node.name] : node.$kind === 'defeffect' ? [node.receipt_schema] : [],
  );
  for (const numbers of changes) {
    const choice = new Choices(numbers);
    const plan = choice.pick(plans);
    choice.pick(CHANGES)(plan, choice, schemas);
    // Derived lists follow the steps.
    delete plan.required_caps;
    delete plan.allowed_effects;
  }
  const text = printJson(nodes as Authored);
  return {
    ...world,
    nodes,
    text,
    plans: world.plans.map((plan) => ({
      ...plan,
      locals: new Map(Object.entries<string>(plans.find(({ name }) => name === plan.name).locals ?? {})),
      variables: new Map(),
    })),
    [fc.toStringMethod]: () => text,
  };
}

type Change = (plan: Authored, choice: Choices, schemas: readonly string[]) => void;

/** A member of an object or an item of a list that holds an expression. */
interface Spot {
  readonly owner: Authored;
  readonly key: string | number;
}

const SLOTS = ['expr', 'params', 'idempotency_key', 'value', 'result', 'input', 'inputs', 'where'];
const FORMS: ReadonlySet<string> = new Set(
  'ref op null bool int nat dec128 text bytes_b64 time_ns duration_ns hash uuid record list set map variant'.split(' '),
);

function spotsOf(plan: Authored): Spot[] {
  const spots: Spot[] = [];
  const visit = (owner: Authored, key: string | number): void => {
    const json = owner[key];
    if (json === null || typeof json !== 'object') return;
    const names = Object.keys(json);
    if (!Array.isArray(json) && names.some((name) => FORMS.has(name))) spots.push({ owner, key });
    for (const name of names) visit(json, name);
  };
  for (const step of plan.steps) for (const slot of SLOTS) if (slot in step) visit(step, slot);
  for (const edge of plan.edges ?? []) if ('when' in edge) visit(edge, 'when');
  for (const index of (plan.invariants ?? []).keys()) visit(plan.invariants, index);
  return spots;
}

const inside = ({ owner, key }: Spot): Authored => owner[key];
const isRef = (spot: Spot): boolean => typeof inside(spot).ref === 'string';
const refsOf = (plan: Authored): Spot[] => spotsOf(plan).filter(isRef);
const boundBy = (step: Authored): string[] => Object.values<string>(step.bind ?? {});
const variablesOf = (plan: Authored): string[] => [...new Set<string>(plan.steps.flatMap(boundBy))];

const otherExpression: Change = (plan, choice) => {
  const spots = spotsOf(plan);
  if (spots.length === 0) return;
  const [to, from] = [choice.pick(spots), choice.pick(spots)];
  to.owner[to.key] = copy(inside(from));
};

const otherReference: Change = (plan, choice) => {
  const refs = refsOf(plan);
  if (refs.length === 0) return;
  const [to, from] = [choice.pick(refs), choice.pick(refs)];
  const { ref } = inside(from);
  to.owner[to.key] = { ref: choice.chance(30) && ref.includes('.') ? ref.slice(0, ref.lastIndexOf('.')) : ref };
};

/** Two variables become one. */
const oneVariable: Change = (plan, choice) => {
  const names = [...new Set([...variablesOf(plan), ...Object.keys(plan.locals ?? {})])];
  if (names.length < 2) return;
  const from = choice.pick(names);
  const to = choice.pick(names.filter((name) => name !== from));
  for (const step of plan.steps) {
    for (const member of Object.keys(step.bind ?? {})) if (step.bind[member] === from) step.bind[member] = to;
  }
  const root = `@var:${from}`;
  const rename = (json: Authored): void => {
    if (json === null || typeof json !== 'object') return;
    if (json.ref === root || (typeof json.ref === 'string' && json.ref.startsWith(`${root}.`))) {
      json.ref = `@var:${to}${json.ref.slice(root.length)}`;
    }
    for (const part of Object.values(json)) rename(part);
  };
  rename(plan);
  if (plan.locals?.[from] === undefined) return;
  if (choice.chance(50)) plan.locals[to] ??= plan.locals[from];
  delete plan.locals[from];
};

const declareLocal: Change = (plan, choice, schemas) => {
  const names = variablesOf(plan);
  if (names.length === 0 || schemas.length === 0) return;
  plan.locals = { ...plan.locals, [choice.pick(names)]: choice.pick(schemas) };
};

const otherEdge: Change = (plan, choice) => {
  const edges: Authored[] = plan.edges ?? [];
  if (edges.length === 0) return;
  const edge = choice.pick(edges);
  const how = choice.below(3);
  if (how === 0) delete edge.when;
  else if (how === 1) edge.from = choice.pick<Authored>(plan.steps).id;
  else edges.splice(edges.indexOf(edge), 1);
};

/** `@step:` where something else was read. */
const stepValue: Change = (plan, choice) => {
  const refs = refsOf(plan);
  if (refs.length === 0) return;
  const spot = choice.pick(refs);
  const path = inside(spot).ref.split('.').slice(1);
  const step = choice.pick<Authored>(plan.steps).id;
  spot.owner[spot.key] = { ref: [`@step:${step}`, ...(choice.chance(50) ? path : [])].join('.') };
};

const BINARY = 'eq ne lt le gt ge add sub mul div mod get has contains starts_with ends_with concat'.split(' ');

const otherOperator: Change = (plan, choice) => {
  const operations = spotsOf(plan).filter((spot) => BINARY.includes(inside(spot).op));
  if (operations.length === 0) return;
  const operation = inside(choice.pick(operations));
  operation.op = choice.pick(BINARY);
  if (choice.chance(30)) operation.args.reverse();
};

/** A step more, which binds one variable to what it makes of one, maybe itself. */
const bindAgain: Change = (plan, choice) => {
  const names = variablesOf(plan);
  if (names.length === 0) return;
  const ref = { ref: `@var:${choice.pick(names)}` };
  const expr = choice.pick<Authored>([
    ref,
    { list: [ref] },
    { record: { a: ref } },
    { op: 'get', args: [{ list: [ref] }, { nat: 0 }] },
    { op: 'get', args: [ref, { text: '$value' }] },
    { ref: `${ref.ref}.$value` },
  ]);
  const id = `again${plan.steps.length}`;
  const before = choice.pick<Authored>(plan.steps).id;
  plan.steps.splice(choice.below(plan.steps.length + 1), 0, {
    id,
    op: 'assign',
    expr,
    bind: { as: choice.pick(names) },
  });
  if (choice.chance(50)) plan.edges = [...(plan.edges ?? []), { from: before, to: id }];
};

/** The last segment of a path, spelled with get. */
const spelledWithGet: Change = (plan, choice) => {
  const refs = refsOf(plan).filter((spot) => inside(spot).ref.replace('@plan.', '').includes('.'));
  if (refs.length === 0) return;
  const spot = choice.pick(refs);
  const { ref } = inside(spot);
  const end = ref.lastIndexOf('.');
  spot.owner[spot.key] = { op: 'get', args: [{ ref: ref.slice(0, end) }, { text: ref.slice(end + 1) }] };
};

const CHANGES: readonly Change[] = [
  otherExpression,
  otherReference,
  oneVariable,
  bindAgain,
  stepValue,
  otherOperator,
  declareLocal,
  otherEdge,
  spelledWithGet,
  oneVariable,
  bindAgain,
];
