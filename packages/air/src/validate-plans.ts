import type { Path } from '@worldline/canon';
import { suggestHint } from './diagnostic.ts';
import type { Expr } from './expr.ts';
import type { Json } from './json.ts';
import { CORRELATION_ID, type PlanSource, type StepSource } from './node-plan.ts';
import { type CanonicalPlan, derivedLists, sortedSet } from './node-plan-canonical.ts';
import type { Problem, Report } from './node-read.ts';
import { graphOf, type PlanGraph } from './validate-plan-graph.ts';
import { placedRefs } from './validate-refs.ts';
import type { Pass, World } from './validate-world.ts';

/** Wiring of plans: V-501 … V-507, V-511 … V-513, V-516, V-521, V-523, V-705 and the codes of `plans.md` §2.1. */

export const checkPlans: Pass = (world) =>
  [...world.plans].flatMap(([name, { source }]) => new PlanRules(world, source, world.canonical.get(name)).run());

class PlanRules {
  private readonly world: World;
  private readonly source: PlanSource;
  private readonly canonical: CanonicalPlan | undefined;
  private readonly problems: Problem[] = [];

  constructor(world: World, source: PlanSource, canonical: CanonicalPlan | undefined) {
    this.world = world;
    this.source = source;
    this.canonical = canonical;
  }

  run(): readonly Problem[] {
    const { source } = this;
    if (source.steps.length === 0) {
      this.report({ rule: 'V-501', code: 'plan.empty', path: ['steps'], message: 'a plan needs at least one step' });
      return this.problems;
    }
    this.stepIds();
    this.edges();
    this.derived();
    this.variables();
    this.outputs();
    // With doubled ids or loose edges the graph is not what the author meant.
    if (!this.problems.some(({ code }) => code === 'plan.duplicate_step' || code === 'plan.edge_unknown_step')) {
      const graph = graphOf(source);
      this.cycle(graph);
      for (const step of source.steps) this.where(step, graph);
    }
    for (const step of source.steps) this.slots(step);
    for (const [index, edge] of source.edges.entries()) {
      if (edge.when !== undefined) this.refs(edge.when, edge.whenJson as Json, ['edges', index, 'when']);
    }
    for (const [index, { expr, json }] of source.invariants.entries()) this.invariant(expr, json, index);
    this.correlation();
    return this.problems;
  }

  private stepIds(): void {
    const seen = new Set<string>();
    for (const step of this.source.steps) {
      if (seen.has(step.id)) {
        this.report({
          rule: 'V-502',
          code: 'plan.duplicate_step',
          path: ['steps', step.index, 'id'],
          message: `two steps are called "${step.id}"`,
          fields: { step: step.id },
        });
      }
      seen.add(step.id);
    }
  }

  private edges(): void {
    const { steps, edges } = this.source;
    const ids = new Set(steps.map(({ id }) => id));
    const seen = new Set<string>();
    for (const [index, edge] of edges.entries()) {
      for (const end of ['from', 'to'] as const) {
        if (ids.has(edge[end])) continue;
        this.report({
          rule: 'V-503',
          code: 'plan.edge_unknown_step',
          path: ['edges', index, end],
          message: `there is no step "${edge[end]}"`,
          hint: suggestHint(edge[end], ids),
          fields: { step: edge[end] },
        });
      }
      const key = JSON.stringify([edge.from, edge.to]);
      if (seen.has(key)) {
        this.report({
          rule: 'V-504',
          code: 'plan.duplicate_edge',
          path: ['edges', index],
          message: `two edges lead from "${edge.from}" to "${edge.to}"`,
          hint: 'Join their conditions with "or" in one edge.',
          fields: { from: edge.from, to: edge.to },
        });
      }
      seen.add(key);
    }
  }

  private derived(): void {
    const derived = derivedLists(this.source);
    const check = (
      rule: string,
      code: string,
      field: string,
      declared: readonly string[],
      expected: readonly string[],
    ) => {
      const sorted = sortedSet(declared);
      if (
        declared.length === 0 ||
        (sorted.length === expected.length && sorted.every((item, i) => item === expected[i]))
      ) {
        return;
      }
      this.report({
        rule,
        code,
        path: [field],
        message: `${field} says [${sorted.join(', ')}], the steps say [${expected.join(', ')}]`,
        hint: `Leave ${field} out: it is derived from the emit_effect steps.`,
        fields: { declared: sorted, derived: expected },
      });
    };
    check('V-506', 'plan.caps_mismatch', 'required_caps', this.source.requiredCaps, derived.caps);
    check('V-507', 'plan.effects_mismatch', 'allowed_effects', this.source.allowedEffects, derived.effects);
  }

  /** V-523. */
  private variables(): void {
    for (const step of this.source.steps) {
      if (step.bind === CORRELATION_ID) this.reservedVariable(['steps', step.index, 'bind']);
    }
    if (this.source.locals.has(CORRELATION_ID)) this.reservedVariable(['locals', CORRELATION_ID]);
  }

  private reservedVariable(path: Path): void {
    this.report({
      rule: 'V-523',
      code: 'plan.reserved_var',
      path,
      message: `"${CORRELATION_ID}" is bound by triggers only`,
      fields: { name: CORRELATION_ID },
    });
  }

  /** V-516; that a result needs an output was said when the slot was read. */
  private outputs(): void {
    const { source } = this;
    if (source.output === undefined) return;
    const ends = source.steps.filter(({ op }) => op === 'end');
    for (const step of ends) {
      if (step.slots.has('result')) continue;
      this.report({
        rule: 'V-516',
        code: 'plan.result_missing',
        path: ['steps', step.index],
        message: `the plan declares output, so end step "${step.id}" needs a result`,
        fields: { step: step.id },
      });
    }
    if (ends.length === 0) {
      this.report({
        rule: 'V-516',
        code: 'plan.end_missing',
        path: ['steps'],
        message: 'the plan declares output, so it needs an end step with a result',
      });
    }
  }

  private cycle(graph: PlanGraph): void {
    const { cycle } = graph;
    if (cycle === undefined) return;
    const ids = cycle.map((index) => this.source.steps[index]?.id ?? '');
    const last = { from: ids.at(-2), to: ids.at(-1) };
    const edge = this.source.edges.findIndex(({ from, to }) => from === last.from && to === last.to);
    this.report({
      rule: 'V-505',
      code: 'plan.cyclic',
      // A data edge is not written anywhere but in the awaiting step.
      path: edge >= 0 ? ['edges', edge] : ['steps', cycle.at(-1) ?? 0],
      message: `steps wait for each other: ${ids.join(' → ')}`,
      hint: 'A step also comes after the step that makes the handle it awaits.',
      fields: { cycle: ids },
    });
  }

  /** V-511 and `plan.where_unbindable`. */
  private where(step: StepSource, graph: PlanGraph): void {
    if (step.op !== 'await_event' || step.expr === undefined) return;
    const { steps, locals } = this.source;
    const position = steps.indexOf(step);
    const later = graph.after(position);
    for (const { ref, path } of placedRefs(step.expr, step.exprJson as Json)) {
      const name = ref.name ?? '';
      if (ref.root === 'input' || ref.root === 'event' || (ref.root === 'var' && name === CORRELATION_ID)) continue;
      const binders = steps.flatMap((other, index) =>
        (ref.root === 'var' ? other.bind : other.id) === name ? [index] : [],
      );
      const at = ['steps', step.index, 'where', ...path, 'ref'];
      const known =
        ref.root === 'step' ? binders.length > 0 : locals.has(name) || binders.some((index) => index < position);
      if (!known) {
        this.report({
          rule: 'V-511',
          code: 'plan.where_unknown_ref',
          path: at,
          message:
            binders.length > 0
              ? `"${ref.text}" is bound only by a step further down in the list`
              : `"${ref.text}" names nothing that the predicate may read`,
          hint: suggestHint(name, ref.root === 'var' ? this.source.names.variables : this.source.names.steps),
          fields: { step: step.id, reference: ref.text },
        });
        continue;
      }
      // A manual start may bind a local (`plans.md` §5), so a local is never hopeless.
      if (ref.root === 'var' && locals.has(name)) continue;
      if (binders.every((index) => index === position || later.has(index))) {
        this.report({
          code: 'plan.where_unbindable',
          path: at,
          message: `"${ref.text}" is bound only after "${step.id}" has been waiting for it`,
          hint: 'Bind it in a step that comes before the wait.',
          fields: { step: step.id, reference: ref.text },
        });
      }
    }
  }

  /** V-513 and V-705 for the slots of a step. */
  private slots(step: StepSource): void {
    const def = this.canonical?.def.steps[this.source.steps.indexOf(step)];
    if (def === undefined) return;
    const slots = {
      expr: def.op === 'assign' ? def.expr : undefined,
      params: def.op === 'emit_effect' ? def.params : undefined,
      idempotency_key: def.op === 'emit_effect' ? def.idempotencyKey : undefined,
      value: def.op === 'raise_event' ? def.value : undefined,
      input: def.op === 'spawn_plan' ? def.input : undefined,
      inputs: def.op === 'spawn_for_each' ? def.inputs : undefined,
      result: def.op === 'end' ? def.result : undefined,
    };
    for (const [name, slot] of Object.entries(slots)) {
      if (slot?.expr !== undefined) this.refs(slot.expr, step.slots.get(name) as Json, ['steps', step.index, name]);
    }
    const inputs = slots.inputs?.literal;
    const max = Math.min(step.maxFanout ?? FANOUT_MAX, FANOUT_MAX);
    if (inputs?.kind === 'list' && inputs.items.length > max) {
      this.report({
        rule: 'V-705',
        code: 'plan.fanout_exceeded',
        path: ['steps', step.index, 'inputs'],
        message: `step "${step.id}" starts ${inputs.items.length} children, at most ${max} are allowed`,
        fields: { step: step.id, max, got: inputs.items.length },
      });
    }
  }

  /** V-513. */
  private refs(expr: Expr, json: Json, path: Path): void {
    for (const { ref, path: inner } of placedRefs(expr, json)) {
      const name = ref.name ?? '';
      const at = [...path, ...inner, 'ref'];
      if (ref.root === 'event') {
        this.report({
          rule: 'V-513',
          code: 'ref_root_forbidden',
          path: at,
          message: `"${ref.text}": there is no event here`,
          hint: 'Bind the event with await_event and read @var:<name>.',
          fields: { reference: ref.text },
        });
      } else if (ref.root === 'var' && !this.source.names.variables.has(name)) {
        this.report({
          rule: 'V-513',
          code: 'ref_unknown_var',
          path: at,
          message: `no local and no step binds "${name}"`,
          hint: suggestHint(name, this.source.names.variables),
          fields: { reference: ref.text },
        });
      } else if (ref.root === 'step' && !this.source.names.steps.has(name)) {
        this.report({
          rule: 'V-513',
          code: 'ref_unknown_step',
          path: at,
          message: `there is no step "${name}"`,
          hint: suggestHint(name, this.source.names.steps),
          fields: { reference: ref.text },
        });
      }
    }
  }

  /** V-512. */
  private invariant(expr: Expr, json: Json, index: number): void {
    const { variables, steps } = this.source.names;
    for (const { ref, path } of placedRefs(expr, json)) {
      const at = ['invariants', index, ...path, 'ref'];
      const name = ref.name ?? '';
      if (ref.root === 'event') {
        this.report({
          rule: 'V-512',
          code: 'plan.invariant_event_ref',
          path: at,
          message: 'an invariant cannot read @event',
          fields: { index },
        });
      } else if ((ref.root === 'var' && !variables.has(name)) || (ref.root === 'step' && !steps.has(name))) {
        this.report({
          rule: 'V-512',
          code: 'plan.invariant_unknown_ref',
          path: at,
          message: `"${ref.text}" names nothing that the plan binds`,
          hint: suggestHint(name, ref.root === 'var' ? variables : steps),
          fields: { index, reference: ref.text },
        });
      }
    }
  }

  /** V-521. */
  private correlation(): void {
    const keys = new Set(
      this.world.manifest.triggers.flatMap((trigger) =>
        trigger.plan === this.source.name && trigger.correlateBy !== undefined ? [trigger.correlateBy] : [],
      ),
    );
    for (const key of keys) {
      for (const step of this.source.steps) {
        if (step.op !== 'await_event') continue;
        if (step.expr === undefined) {
          this.report({
            rule: 'V-521',
            code: 'plan.correlation_missing',
            path: ['steps', step.index],
            message: `a trigger correlates this plan by "${key}", so step "${step.id}" needs a where that mentions it`,
            hint: 'Compare a field of @event with @var:correlation_id.',
            fields: { step: step.id, key },
          });
        } else if (
          !placedRefs(step.expr, step.exprJson as Json).some(({ ref }) => mentionsKey(ref.text, ref.name, key))
        ) {
          this.report({
            rule: 'V-521',
            code: 'plan.correlation_unused',
            path: ['steps', step.index, 'where'],
            message: `the where of step "${step.id}" mentions neither @var:${CORRELATION_ID} nor @event.${key}`,
            hint: 'Compare a field of @event with @var:correlation_id.',
            fields: { step: step.id, key },
          });
        }
      }
    }
  }

  private report(problem: Report): void {
    this.problems.push({ origin: this.source.origin, ...problem });
  }
}

/** More children than that are never started at once (`plans.md` §12.1). */
const FANOUT_MAX = 1024;

function mentionsKey(text: string, name: string | undefined, key: string): boolean {
  return (
    (text.startsWith('@var:') && name === CORRELATION_ID) ||
    text === `@event.${key}` ||
    text.startsWith(`@event.${key}.`)
  );
}
