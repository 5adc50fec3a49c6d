// biome-ignore-all lint/suspicious/noExplicitAny: tests reach into authored JSON of every shape

const HASH = `sha256:${'a'.repeat(64)}`;
const ref = (text: string) => ({ ref: text });

/** One node of each kind that has every member, and every step, form of type and form of expression. All of them valid. */
export function everyNode(): any[] {
  return [
    {
      $kind: 'manifest',
      air_version: '1',
      schemas: [{ name: 'a/b@1', hash: HASH }],
      modules: [{ name: 'a/b@1' }, { name: 'a/c@1', hash: null }],
      plans: [{ name: 'a/p@1', hash: 'sha256:' }],
      caps: [],
      policies: [],
      effects: [{ name: 'sys/http.request@1', hash: ' SHA256 ' }],
      secrets: [
        { name: 'a/k@1' },
        {
          alias: 'a/k',
          version: 1,
          binding_id: 'env:K',
          expected_digest: HASH,
          policy: { allowed_caps: ['x'], allowed_plans: ['a/p@1'] },
        },
      ],
      defaults: {
        policy: 'a/p@1',
        cap_grants: [
          { name: 'g', cap: 'sys/timer@1', params: {}, expiry_ns: '5' },
          { name: 'web', cap: 'sys/http.out@1', params: { hosts: ['a.example'], schemes: null } },
        ],
      },
      module_bindings: { 'a/m@1': { slots: { default: 'g', other: 'h' } }, 'a/n@1': { slots: {} } },
      routing: {
        events: [{ event: 'a/e@1', reducer: 'a/m@1', key_field: 'x' }],
        inboxes: [{ source: 'x', reducer: 'a/m@1' }],
      },
      triggers: [
        {
          event: 'a/e@1',
          plan: 'a/p@1',
          correlate_by: 'id',
          when: { op: 'eq', args: [ref('@event.a'), { int: 1 }] },
          input_expr: null,
        },
      ],
    },
    {
      $kind: 'defmodule',
      name: 'a/m@1',
      module_kind: 'reducer',
      wasm_hash: HASH,
      key_schema: 'a/k@1',
      abi: {
        reducer: {
          state: 'a/s@1',
          event: 'a/e@1',
          context: 'a/c@1',
          annotations: 'a/a@1',
          effects_emitted: ['x.y'],
          cap_slots: { default: 'http.out' },
        },
      },
    },
    {
      $kind: 'defmodule',
      name: 'a/m@1',
      module_kind: 'pure',
      abi: { pure: { input: 'a/s@1', output: 'a/e@1', context: 'a/c@1' } },
    },
    {
      $kind: 'defeffect',
      name: 'a/e@1',
      kind: 'a.b',
      params_schema: 'a/p@1',
      receipt_schema: 'a/r@1',
      cap_type: 'c',
      origin_scope: 'both',
      description: 'x',
    },
    { $kind: 'defcap', name: 'a/c@1', cap_type: 'c', schema: everyType(), enforcer: { module: 'a/m@1' } },
    {
      $kind: 'defpolicy',
      name: 'a/p@1',
      rules: [
        {
          when: { effect_kind: 'a.b', cap_name: 'g', cap_type: 'c', origin_kind: 'plan', origin_name: 'a/p@1' },
          decision: 'allow',
        },
        { when: {}, decision: 'deny' },
      ],
    },
    {
      $kind: 'defsecret',
      name: 'a/s@1',
      binding_id: 'env:X',
      expected_digest: HASH,
      allowed_caps: ['x'],
      allowed_plans: ['a/p@1'],
    },
    { $kind: 'defschema', name: 'a/s@1', type: everyType() },
    {
      $kind: 'defplan',
      name: 'a/p@1',
      input: 'a/i@1',
      output: 'a/o@1',
      locals: { x: 'a/l@1' },
      required_caps: ['g'],
      allowed_effects: ['a.b'],
      invariants: [everyExpr()],
      edges: [{ from: 'a', to: 'b', when: { bool: true } }],
      steps: [
        {
          id: 'a',
          op: 'emit_effect',
          kind: 'a.b',
          params: { order: ref('@plan.input.id') },
          cap: 'g',
          idempotency_key: { hash: HASH },
          bind: { effect_id_as: 'h' },
        },
        { id: 'b', op: 'await_receipt', for: ref('@var:h'), bind: { as: 'r' } },
        {
          id: 'c',
          op: 'await_event',
          event: 'a/e@1',
          where: { op: 'eq', args: [ref('@event.a'), ref('@var:r.$status')] },
          bind: { as: 'e' },
        },
        { id: 'd', op: 'assign', expr: ref('@var:e'), bind: { as: 'v' } },
        { id: 'e', op: 'end', result: null },
        { id: 'f', op: 'raise_event', event: 'a/e@1', value: 1 },
        { id: 'g', op: 'spawn_plan', plan: 'a/q@1', input: 1, bind: { handle_as: 'hh' } },
        { id: 'i', op: 'await_plan', for: ref('@var:hh'), bind: { as: 'z' } },
        { id: 'j', op: 'spawn_for_each', plan: 'a/q@1', inputs: [], max_fanout: 3, bind: { handles_as: 'hs' } },
        { id: 'k', op: 'await_plans_all', handles: ref('@var:hs'), bind: { results_as: 'rs' } },
      ],
    },
  ];
}

export function everyType(): any {
  const scalar = (name: string) => ({ [name]: {} });
  return {
    record: {
      ...Object.fromEntries(
        ['bool', 'int', 'nat', 'dec128', 'bytes', 'text', 'time', 'duration', 'hash', 'uuid', 'unit'].map((name) => [
          name,
          scalar(name),
        ]),
      ),
      variant: { variant: { A: scalar('unit'), B: { list: scalar('nat') } } },
      set: { set: scalar('text') },
      refs: { set: { ref: 'a/t@1' } },
      map: { map: { key: scalar('uuid'), value: { option: scalar('bool') } } },
    },
  };
}

export function everyExpr(): any {
  return {
    op: 'and',
    args: [
      { op: 'not', args: [ref('@plan.input')] },
      { op: 'contains', args: [ref('@plan.input.a.b'), ref('@step:a.b')] },
      { null: {} },
      { bool: true },
      { int: '-5' },
      { nat: 5 },
      { dec128: '-0.50' },
      { text: '' },
      { bytes_b64: 'AAEC' },
      { time_ns: '5' },
      { duration_ns: -5 },
      { hash: HASH },
      { uuid: '123E4567-e89b-12d3-a456-426614174000' },
      { record: { a: ref('@var:x.$tag') } },
      { list: [] },
      { set: [{ int: 1 }] },
      { map: [{ key: { int: 1 }, value: { text: 'x' } }] },
      { variant: { tag: 'A' } },
      { variant: { tag: 'B', value: { nat: 1 } } },
    ],
  };
}
