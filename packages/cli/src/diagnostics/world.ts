import type { Example } from './entry.ts';

/** The small world in which the examples stand, and how each becomes a folder that can be checked. */

/** Every example but a whole folder may use these names. */
export const WORLD_NODES: readonly string[] = [
  `{
  "$kind": "defschema",
  "name": "demo/Order@1",
  "type": {
    "record": {
      "id": { "text": {} },
      "amount": { "nat": {} },
      "paid": { "bool": {} },
      "note": { "option": { "text": {} } },
      "deadline_ns": { "nat": {} },
      "at": { "time": {} },
      "wait": { "duration": {} },
      "tags": { "map": { "key": { "text": {} }, "value": { "text": {} } } },
      "items": { "list": { "text": {} } },
      "payment": { "ref": "demo/Payment@1" }
    }
  }
}`,
  `{
  "$kind": "defschema",
  "name": "demo/Payment@1",
  "type": {
    "variant": {
      "Card": { "record": { "last4": { "text": {} }, "fee": { "nat": {} } } },
      "Voucher": { "record": { "serial": { "nat": {} }, "fee": { "nat": {} } } },
      "Cash": { "unit": {} }
    }
  }
}`,
  `{
  "$kind": "defschema",
  "name": "demo/Paid@1",
  "type": { "record": { "id": { "text": {} }, "amount": { "nat": {} }, "by": { "option": { "text": {} } } } }
}`,
  `{
  "$kind": "defschema",
  "name": "demo/Shipped@1",
  "type": { "record": { "id": { "text": {} }, "late": { "bool": {} } } }
}`,
  `{
  "$kind": "defplan",
  "name": "demo/example@1",
  "input": "demo/Order@1",
  "steps": [{ "id": "done", "op": "end" }]
}`,
  `{
  "$kind": "defpolicy",
  "name": "demo/policy@1",
  "rules": [{ "when": { "effect_kind": "timer.set" }, "decision": "allow" }]
}`,
  `{
  "$kind": "defsecret",
  "name": "demo/key@1",
  "binding_id": "env:DEMO_KEY"
}`,
];

/** Members of the manifest that an example may write itself. */
const WORLD_MANIFEST: Readonly<Record<string, string>> = {
  air_version: '"1"',
  defaults: `{
    "cap_grants": [
      { "name": "cap_timer", "cap": "sys/timer@1", "params": {} },
      { "name": "cap_web", "cap": "sys/http.out@1", "params": { "hosts": ["example.com"] } },
      { "name": "cap_desk", "cap": "sys/approval@1", "params": {} },
      { "name": "cap_mesh", "cap": "sys/fabric@1", "params": { "worlds": ["till"] } }
    ]
  }`,
};

const WORLD_EFFECTS = ['sys/timer.set@1', 'sys/http.request@1', 'sys/approval.request@1', 'sys/fabric.send@1'];

const SECTION_OF: Readonly<Record<string, string>> = {
  defschema: 'schemas',
  defmodule: 'modules',
  defplan: 'plans',
  defeffect: 'effects',
  defcap: 'caps',
  defpolicy: 'policies',
  defsecret: 'secrets',
};

const SECTIONS = ['schemas', 'modules', 'plans', 'effects', 'caps', 'policies', 'secrets'];

/** A folder that holds nothing wrong but what the example shows. */
export interface ExampleFolder {
  /** Texts by path from the folder. */
  readonly files: Readonly<Record<string, string>>;
  /** The file with the example's text, and the offset of its mark in it. */
  readonly file: string;
  readonly markAt: number | undefined;
}

const EXAMPLE_FILE = 'air/example.json';
const REST_FILE = 'air/rest.json';
const IMPORT_FILE = 'shared/defs.json';

/** The pack that examples of wiring import. */
const PING = `[
  { "$kind": "defschema", "name": "ping/Ask@1", "type": { "record": { "id": { "text": {} } } } },
  {
    "$kind": "defplan",
    "name": "ping/entry_ping@1",
    "input": "ping/Ask@1",
    "steps": [
      {
        "id": "ping",
        "op": "emit_effect",
        "kind": "http.request",
        "cap": "cap_web",
        "params": { "method": "GET", "url": "https://example.com/", "headers": {}, "body_ref": null },
        "bind": { "effect_id_as": "ping_h" }
      },
      { "id": "done", "op": "end" }
    ],
    "edges": [{ "from": "ping", "to": "done" }]
  },
  { "$kind": "defplan", "name": "ping/_internal_map@1", "input": "ping/Ask@1", "steps": [{ "id": "done", "op": "end" }] },
  { "$kind": "defschema", "name": "ping/Said@1", "type": { "text": {} } },
  {
    "$kind": "defplan",
    "name": "ping/entry_say@1",
    "input": "ping/Ask@1",
    "steps": [
      { "id": "say", "op": "raise_event", "event": "ping/Said@1", "value": "hello" },
      { "id": "done", "op": "end" }
    ],
    "edges": [{ "from": "say", "to": "done" }]
  }
]
`;

/** What stands in the folder that examples of worldline.json import. */
const IMPORTED = '[{ "$kind": "defschema", "name": "shared/Id@1", "type": { "text": {} } }]\n';

/** The manifest and definitions around nothing: what the documents show. */
export function exampleWorld(): string {
  return nodeList([manifestText(WORLD_NODES), ...WORLD_NODES]);
}

export function folderOf(example: Example): ExampleFolder {
  const { part, text } = example;
  const at = (file: string, before: string, files: Readonly<Record<string, string>>): ExampleFolder => ({
    files,
    file,
    markAt: example.mark === undefined ? undefined : before.length + example.mark.at,
  });
  switch (part) {
    case 'folder':
      return at(EXAMPLE_FILE, '', { [EXAMPLE_FILE]: text });
    case 'worldline.json':
    case 'worldline.host.json':
      return at(part, '', { [part]: text, [REST_FILE]: exampleWorld(), [IMPORT_FILE]: IMPORTED });
    case 'consumer':
      return at(EXAMPLE_FILE, '', {
        [EXAMPLE_FILE]: text,
        'worldline.json': '{ "version": 1, "air": { "imports": [{ "path": "shared/plan-packs/ping" }] } }\n',
        'shared/plan-packs/ping/defs.json': PING,
      });
    case 'pack':
      return at('shared/plan-packs/mine/defs.json', '', {
        'shared/plan-packs/mine/defs.json': text,
        'worldline.json': '{ "version": 1, "air": { "imports": [{ "path": "shared/plan-packs/mine" }] } }\n',
        [REST_FILE]: exampleWorld(),
      });
    case 'import':
      return at(IMPORT_FILE, '', {
        [IMPORT_FILE]: text,
        'worldline.json': '{ "version": 1, "air": { "imports": [{ "path": "shared" }] } }\n',
        [REST_FILE]: exampleWorld(),
      });
    case 'manifest': {
      const members = Object.keys(JSON.parse(text) as object);
      const open = `{ "$kind": "manifest",\n${manifestMembers(WORLD_NODES, members)},`;
      return at(EXAMPLE_FILE, open.slice(0, -1), {
        [EXAMPLE_FILE]: open + text.slice(1),
        [REST_FILE]: nodeList(WORLD_NODES),
      });
    }
    default: {
      const [before, after] = AROUND[part];
      // What is written in place of the opening brace keeps the rest of the text where it is.
      const cut = part === 'plan' ? 1 : 0;
      const whole = before + text.slice(cut) + after;
      const own = new Set(definedIn(whole).map(([, name]) => name));
      const rest = WORLD_NODES.filter((node) => !definedIn(node).some(([, name]) => own.has(name)));
      return at(EXAMPLE_FILE, before.slice(0, before.length - cut), {
        [EXAMPLE_FILE]: whole,
        [REST_FILE]: nodeList([manifestText([...rest, whole]), ...rest]),
      });
    }
  }
}

const PLAN_HEAD = '{ "$kind": "defplan", "name": "demo/example@1", "input": "demo/Order@1",';

const AROUND = {
  nodes: ['', ''],
  plan: [PLAN_HEAD, ''],
  steps: [`${PLAN_HEAD} "steps":\n`, '\n}'],
  expr: [
    `${PLAN_HEAD} "edges": [{ "from": "compute", "to": "done" }],
"invariants": [{ "op": "eq", "args": [{ "ref": "@var:result" }, { "ref": "@var:result" }] }],
"steps": [{ "id": "done", "op": "end" }, { "id": "compute", "op": "assign", "bind": { "as": "result" }, "expr":\n`,
    '\n}] }',
  ],
  type: ['{ "$kind": "defschema", "name": "demo/Example@1", "type":\n', '\n}'],
} as const;

/** `$kind` and name of each definition in a text, also in one that is no JSON. */
function definedIn(text: string): readonly (readonly [kind: string, name: string])[] {
  return [...text.matchAll(/"\$kind":\s*"(\w+)",\s*"name":\s*"([^"]+)"/g)].map((found) => [found[1]!, found[2]!]);
}

function manifestText(nodes: readonly string[]): string {
  return `{ "$kind": "manifest",\n${manifestMembers(nodes, [])} }`;
}

function manifestMembers(nodes: readonly string[], written: readonly string[]): string {
  const defined = nodes.flatMap(definedIn);
  const listed = (section: string) => [
    ...(section === 'effects' ? WORLD_EFFECTS : []),
    ...new Set(defined.flatMap(([kind, name]) => (SECTION_OF[kind] === section ? [name] : []))),
  ];
  const members = [
    ...Object.entries(WORLD_MANIFEST),
    ...SECTIONS.map((section) => {
      const refs = listed(section).map((name) => `{ "name": ${JSON.stringify(name)} }`);
      return [section, `[${refs.join(', ')}]`] as const;
    }),
  ];
  return members
    .filter(([name]) => !written.includes(name))
    .map(([name, value]) => `  "${name}": ${value}`)
    .join(',\n');
}

function nodeList(nodes: readonly string[]): string {
  return `[\n${nodes.join(',\n')}\n]\n`;
}
