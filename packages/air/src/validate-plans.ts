import type { Path } from '@worldline/canon';
import { authoredPath } from './authored-path.ts';
import { shownCycle, suggestHint } from './diagnostic.ts';
import type { Expr, RefExpr } from './expr.ts';
import { isJsonArray, isJsonObject, type Json, memberNames, shorten } from './json.ts';
import { CORRELATION_ID, type PlanSource, type StepSource } from './node-plan.ts';
import { derivedLists, type ReadPlan, slotType, sortedSet } from './node-plan-canonical.ts';
import type { Hint, Problem, Report } from './node-read.ts';
import { FANOUT_MAX } from './step.ts';
import { graphOf, type PlanGraph } from './validate-plan-graph.ts';
import { exprsIn, type PlacedRef, placedRefs } from './validate-refs.ts';
import { lookupsOf, type Pass, type World } from './validate-world.ts';

/** Wiring of plans: V-501 … V-507, V-511 … V-513, V-516, V-521, V-523, V-705 and the codes of `plans.md` §2.1. */

export const checkPlans: Pass = (world) =>
  [...world.plans].flatMap(([name, { source }]) =>
    new PlanRules(world, source, world.read.get(name)?.slots ?? []).run(),
  );

class PlanRules {
  private readonly world: World;
  private readonly source: PlanSource;
  private readonly read: ReadPlan['slots'];
  /** Positions of the steps that bind a variable, and of the step that has an id. */
  private readonly binders = new Map<string, number[]>();
  private readonly positions = new Map<string, number[]>();
  private readonly problems: Problem[] = [];

  constructor(world: World, source: PlanSource, read: ReadPlan['slots']) {
    this.world = world;
    this.source = source;
    this.read = read;
    for (const [position, { id, bind }] of source.steps.entries()) {
      if (bind !== undefined) addTo(this.binders, bind, position);
      addTo(this.positions, id, position);
    }
  }

  run(): readonly Problem[] {
    const { source } = this;
    if (source.steps.length === 0 && !source.unread.has('steps')) {
      this.report({
        rule: 'V-501',
        code: 'plan.empty',
        path: ['steps'],
        message: 'a plan needs at least one step',
        hint: 'Begin with {"id": "done", "op": "end"}.',
      });
    }
    this.stepIds();
    this.edges();
    this.derived();
    this.variables();
    this.outputs();
    // With doubled ids the graph is not what the author meant. An edge that leads nowhere only leaves it smaller.
    const doubled = this.problems.some(({ code }) => code === 'plan.duplicate_step');
    const graph = doubled ? undefined : graphOf(source);
    if (graph !== undefined) this.cycle(graph);
    for (const [position, step] of source.steps.entries()) {
      this.where(step, position, graph?.cycle === undefined ? graph : undefined);
    }
    for (const [position, step] of source.steps.entries()) this.slots(step, this.read[position] ?? new Map());
    for (const edge of source.edges) {
      if (edge.when !== undefined)
        this.refs(placedRefs(edge.when, edge.whenJson as Json), ['edges', edge.index, 'when']);
    }
    for (const { expr, json, index } of source.invariants) this.invariant(expr, json, index);
    this.correlation();
    return this.problems;
  }

  private stepIds(): void {
    const seen = new Set<string>();
    for (const step of this.source.steps) {
      if (this.source.unread.has('steps', step.index, 'id')) continue;
      if (seen.has(step.id)) {
        this.report({
          rule: 'V-502',
          code: 'plan.duplicate_step',
          path: ['steps', step.index, 'id'],
          message: `two steps are called "${step.id}"`,
          hint: 'Give one of them another id, and let its edges and readers follow.',
          fields: { step: step.id },
        });
      }
      seen.add(step.id);
    }
  }

  private edges(): void {
    const { edges, names, lost } = this.source;
    const ids = names.steps;
    const seen = new Set<string>();
    for (const edge of edges) {
      for (const end of ['from', 'to'] as const) {
        if (edge[end] === '' || ids.has(edge[end]) || lost.anyStep) continue;
        this.report({
          rule: 'V-503',
          code: 'plan.edge_unknown_step',
          path: ['edges', edge.index, end],
          message: `there is no step "${edge[end]}"`,
          hint: () => suggestHint(edge[end], ids) ?? 'Name a step of this plan, or remove the edge.',
          fields: { step: edge[end] },
        });
      }
      const key = JSON.stringify([edge.from, edge.to]);
      if (seen.has(key) && edge.from !== '' && edge.to !== '') {
        this.report({
          rule: 'V-504',
          code: 'plan.duplicate_edge',
          path: ['edges', edge.index],
          message: `two edges lead from "${edge.from}" to "${edge.to}"`,
          hint: 'Join their conditions with "or" in one edge.',
          fields: { from: edge.from, to: edge.to },
        });
      }
      seen.add(key);
    }
  }

  private derived(): void {
    const { steps, unread, lost } = this.source;
    // A step whose grant or kind did not read would be missing from the lists.
    const partly =
      lost.anyStep ||
      lost.steps.size > 0 ||
      steps.some(({ index }) => unread.has('steps', index, 'cap') || unread.has('steps', index, 'kind'));
    if (partly) return;
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
        unread.has(field) ||
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
      hint: 'Choose another name; correlate_by of the trigger says what this one holds.',
      fields: { name: CORRELATION_ID },
    });
  }

  /** V-516; that a result needs an output was said when the slot was read. */
  private outputs(): void {
    const { source } = this;
    if (source.output === undefined) return;
    const ends = source.steps.filter(({ op }) => op === 'end');
    for (const step of ends) {
      if (step.slots.has('result') || source.unread.has('steps', step.index, 'result')) continue;
      this.report({
        rule: 'V-516',
        code: 'plan.result_missing',
        path: ['steps', step.index],
        message: `the plan declares output, so end step "${step.id}" needs a result`,
        hint: 'Give the step a "result", or leave the output out.',
        fields: { step: step.id },
      });
    }
    if (ends.length === 0 && source.steps.length > 0 && !source.unread.has('steps')) {
      this.report({
        rule: 'V-516',
        code: 'plan.end_missing',
        path: ['steps'],
        message: 'the plan declares output, so it needs an end step with a result',
        hint: 'Add {"id": …, "op": "end", "result": …}, or leave the output out.',
      });
    }
  }

  private cycle(graph: PlanGraph): void {
    const { cycle } = graph;
    if (cycle === undefined) return;
    const ids = cycle.map((index) => this.source.steps[index]?.id ?? '');
    const last = { from: ids.at(-2), to: ids.at(-1) };
    const edge = this.source.edges.find(({ from, to }) => from === last.from && to === last.to);
    this.report({
      rule: 'V-505',
      code: 'plan.cyclic',
      // A data edge is not written anywhere but in the awaiting step.
      path: edge === undefined ? ['steps', this.source.steps[cycle.at(-1) ?? 0]?.index ?? 0] : ['edges', edge.index],
      message: `steps wait for each other: ${shownCycle(ids).join(' → ')}`,
      hint: 'A step also comes after the step that makes the handle it awaits.',
      fields: { cycle: shownCycle(ids) },
    });
  }

  /** V-511 and `plan.where_unbindable`. */
  private where(step: StepSource, position: number, graph: PlanGraph | undefined): void {
    if (step.op !== 'await_event' || step.expr === undefined) return;
    const { locals, unread } = this.source;
    for (const { ref, path } of placedRefs(step.expr, step.exprJson as Json)) {
      const name = ref.name ?? '';
      const isLocal = ref.root === 'var' && (locals.has(name) || unread.has('locals'));
      if (ref.root === 'input' || ref.root === 'event' || (ref.root === 'var' && name === CORRELATION_ID)) continue;
      if (this.isLostName(ref.root, name)) continue;
      const binders = (ref.root === 'var' ? this.binders : this.positions).get(name) ?? [];
      const at = ['steps', step.index, 'where', ...path, 'ref'];
      const known = ref.root === 'step' ? binders.length > 0 : isLocal || binders.some((index) => index < position);
      if (!known) {
        this.report({
          rule: 'V-511',
          code: 'plan.where_unknown_ref',
          path: at,
          message:
            binders.length > 0
              ? `"${shorten(ref.text)}" is bound only by a step further down in the list`
              : `"${shorten(ref.text)}" names nothing that the predicate may read`,
          hint: this.nameHint(ref, binders.length > 0 ? 'Move the step that binds it up in the list.' : undefined),
          fields: { step: step.id, reference: shorten(ref.text) },
        });
        continue;
      }
      // A manual start may bind a local (`plans.md` §5), so a local is never hopeless.
      if (isLocal || graph === undefined) continue;
      if (binders.every((index) => index === position || graph.comesAfter(position, index))) {
        this.report({
          code: 'plan.where_unbindable',
          path: at,
          message: `"${shorten(ref.text)}" is bound only after "${step.id}" has been waiting for it`,
          hint: 'Bind it in a step that comes before the wait.',
          fields: { step: step.id, reference: shorten(ref.text) },
        });
      }
    }
  }

  /** V-513 and V-705 for the slots of a step. */
  private slots(step: StepSource, read: ReadPlan['slots'][number]): void {
    for (const [name, json] of step.slots) {
      const slot = read.get(name);
      const path = ['steps', step.index, name];
      if (slot === undefined) this.refs(exprsIn(json, this.source.names).refs, path);
      else if (slot.slot.expr !== undefined) {
        // Asked for only where there is something to report.
        const written = (inner: Path) => {
          const type = slotType(step, name, this.source, lookupsOf(this.world));
          return authoredPath(json, type === 'missing' ? undefined : type, inner, this.world.scope);
        };
        this.refs(placedRefs(slot.slot.expr, slot.json), path, written);
      }
    }
    const inputs = step.slots.get('inputs');
    const got = inputs === undefined ? undefined : itemsOf(inputs);
    if (got === undefined || this.source.unread.has('steps', step.index, 'max_fanout')) return;
    const max = Math.min(step.maxFanout ?? FANOUT_MAX, FANOUT_MAX);
    if (got <= max) return;
    this.report({
      rule: 'V-705',
      code: 'plan.fanout_exceeded',
      path: ['steps', step.index, 'inputs'],
      message: `step "${step.id}" starts ${got} children, at most ${max} are allowed`,
      hint:
        step.maxFanout !== undefined && step.maxFanout < got && got <= FANOUT_MAX
          ? 'Raise max_fanout, or start fewer children.'
          : 'Start the children in several steps.',
      fields: { step: step.id, max, got },
    });
  }

  /**
   * V-513, with codes of `expressions.md` §13.6: `path` is one in the canonical form.
   *
   * @param written - From a path in the canonical form of the slot to the one as written.
   */
  private refs(refs: readonly PlacedRef[], path: Path, written?: (inner: Path) => Path): void {
    for (const { ref, path: inner } of refs) {
      const name = ref.name ?? '';
      if (this.isLostName(ref.root, name)) continue;
      const report = (problem: Omit<Report, 'path'>) => {
        const at = written && { at: [...path, ...written([...inner, 'ref'])] };
        this.report({
          rule: 'V-513',
          path: [...path, ...inner, 'ref'],
          ...at,
          ...problem,
          fields: { reference: shorten(ref.text) },
        });
      };
      if (ref.root === 'event') {
        report({
          code: 'ref_root_forbidden',
          message: `"${shorten(ref.text)}": there is no event here`,
          hint: 'Bind the event with await_event and read @var:<name>.',
        });
      } else if (ref.root === 'var' && !this.source.names.variables.has(name)) {
        report({ code: 'ref_unknown_var', message: `no local and no step binds "${name}"`, hint: this.nameHint(ref) });
      } else if (ref.root === 'step' && !this.source.names.steps.has(name)) {
        report({ code: 'ref_unknown_step', message: `there is no step "${name}"`, hint: this.nameHint(ref) });
      }
    }
  }

  /** V-512. */
  private invariant(expr: Expr, json: Json, index: number): void {
    const { variables, steps } = this.source.names;
    for (const { ref, path } of placedRefs(expr, json)) {
      const at = ['invariants', index, ...path, 'ref'];
      const name = ref.name ?? '';
      if (this.isLostName(ref.root, name)) continue;
      if (ref.root === 'event') {
        this.report({
          rule: 'V-512',
          code: 'plan.invariant_event_ref',
          path: at,
          message: 'an invariant cannot read @event',
          hint: 'Bind the event with await_event and read @var:<name>.',
          fields: { index },
        });
      } else if ((ref.root === 'var' && !variables.has(name)) || (ref.root === 'step' && !steps.has(name))) {
        this.report({
          rule: 'V-512',
          code: 'plan.invariant_unknown_ref',
          path: at,
          message: `"${shorten(ref.text)}" names nothing that the plan binds`,
          hint: this.nameHint(ref),
          fields: { index, reference: shorten(ref.text) },
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
    if (keys.size === 0) return;
    for (const step of this.source.steps) {
      // Waits times keys: what nobody reads must not fill the memory.
      if (this.problems.length >= PROBLEMS_MAX) return;
      if (step.op !== 'await_event' || this.source.unread.has('steps', step.index, 'where')) continue;
      const hint = 'Compare a field of @event with @var:correlation_id.';
      if (step.expr === undefined) {
        const key = [...keys][0] as string;
        this.report({
          rule: 'V-521',
          code: 'plan.correlation_missing',
          path: ['steps', step.index],
          message: `a trigger correlates this plan by "${key}", so step "${step.id}" needs a where that mentions it`,
          hint,
          fields: { step: step.id, key },
        });
        continue;
      }
      const refs = placedRefs(step.expr, step.exprJson as Json);
      // One finding for a wait, however many triggers correlate the plan: the cure is the same.
      const key = [...keys].find((each) => !refs.some(({ ref }) => mentionsKey(ref.text, ref.name, each)));
      if (key === undefined) continue;
      this.report({
        rule: 'V-521',
        code: 'plan.correlation_unused',
        path: ['steps', step.index, 'where'],
        message: `the where of step "${step.id}" mentions neither @var:${CORRELATION_ID} nor @event.${key}`,
        hint,
        fields: { step: step.id, key },
      });
    }
  }

  /** May the name be that of a step that did not read, or of what such a step binds? */
  private isLostName(root: RefExpr['root'], name: string): boolean {
    const { names, lost } = this.source;
    if (root === 'var') return lost.variables.has(name) || (lost.anyVariable && !names.variables.has(name));
    return root === 'step' && (lost.steps.has(name) || (lost.anyStep && !names.steps.has(name)));
  }

  private nameHint(ref: RefExpr, other?: string): Hint {
    const { variables, steps } = this.source.names;
    const known = ref.root === 'var' ? variables : steps;
    if (known.has(ref.name ?? '')) return other;
    return () => suggestHint(ref.name ?? '', known) ?? knownNames(ref.root === 'var' ? 'variables' : 'steps', known);
  }

  private report(problem: Report): void {
    this.problems.push({ origin: this.source.origin, ...problem });
  }
}

function addTo(map: Map<string, number[]>, key: string, item: number): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [item]);
  else list.push(item);
}

/** Number of items of a list as written, in either lens. */
function itemsOf(json: Json): number | undefined {
  if (isJsonArray(json)) return json.length;
  const tagged = isJsonObject(json) && memberNames(json).length === 1 ? json['list'] : undefined;
  return isJsonArray(tagged) ? tagged.length : undefined;
}

function knownNames(what: string, known: ReadonlySet<string>): string {
  const names = [...known].slice(0, 8);
  return names.length === 0
    ? `The plan has no ${what}.`
    : `The plan's ${what}: ${names.join(', ')}${known.size > 8 ? ', …' : ''}.`;
}

/** Twice what is shown (`toDiagnostics`). */
const PROBLEMS_MAX = 2000;

function mentionsKey(text: string, name: string | undefined, key: string): boolean {
  return (
    (text.startsWith('@var:') && name === CORRELATION_ID) ||
    text === `@event.${key}` ||
    text.startsWith(`@event.${key}.`)
  );
}
