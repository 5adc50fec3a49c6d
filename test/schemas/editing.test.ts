import { describe, expect, test } from 'vitest';
import {
  ClientCapabilities,
  type CompletionItem,
  getLanguageService,
  type LanguageService,
  TextDocument,
} from 'vscode-json-languageservice';
import { OPERATIONS, STEP_OPS, STEP_SHAPES, TYPE_FORMS } from '../../packages/air/src/index.ts';
import { parseNode } from '../../packages/air/src/node-parse.ts';
import { NODE_SHAPES } from '../../packages/air/src/node-shape.ts';
import { AIR, HOST, SYNC, schemaFile } from './schema-files.ts';

/** VS Code's own JSON support, asked what an author would see. `|` is the cursor. */

function service(name: string): LanguageService {
  const found = getLanguageService({ clientCapabilities: ClientCapabilities.LATEST });
  found.configure({ schemas: [{ uri: name, fileMatch: ['*.json'], schema: schemaFile(name) }] });
  return found;
}

const services: Readonly<Record<string, LanguageService>> = {
  [AIR]: service(AIR),
  [SYNC]: service(SYNC),
  [HOST]: service(HOST),
};

function open(text: string, schema: string) {
  const offset = text.indexOf('|');
  const document = TextDocument.create('file:///world/a.json', 'json', 1, text.replace('|', ''));
  const json = services[schema] as LanguageService;
  return { json, document, parsed: json.parseJSONDocument(document), position: document.positionAt(offset) };
}

async function complete(text: string, schema = AIR): Promise<CompletionItem[]> {
  const { json, document, parsed, position } = open(text, schema);
  return (await json.doComplete(document, position, parsed))?.items ?? [];
}

async function labels(text: string, schema = AIR): Promise<string[]> {
  return (await complete(text, schema)).map(({ label }) => label);
}

async function hover(text: string, schema = AIR): Promise<string> {
  const { json, document, parsed, position } = open(text, schema);
  const found = await json.doHover(document, position, parsed);
  return String(found?.contents).replaceAll('\\', '');
}

async function messages(text: string, schema = AIR): Promise<string[]> {
  const { json, document, parsed } = open(`${text}|`, schema);
  return (await json.doValidation(document, parsed)).map(({ message }) => String(message));
}

const quoted = (values: readonly string[]) => values.map((value) => `"${value}"`);
const plan = (rest: string) => `{ "$kind": "defplan", "name": "a/p@1", "input": "a/i@1", ${rest} }`;
const step = (rest: string) => plan(`"steps": [ { "id": "s", ${rest} } ]`);

describe('completion', () => {
  test('an empty file, and a list, offer a whole node of each kind', async () => {
    const kinds = Object.keys(NODE_SHAPES);
    expect(await labels('|')).toEqual(kinds);
    expect(await labels('[ | ]')).toEqual(kinds);
  });

  test('$kind offers every kind, each with what it is', async () => {
    const items = await complete('{ "$kind": "|" }');
    expect(items.map(({ label }) => label)).toEqual(quoted(Object.keys(NODE_SHAPES)));
    for (const item of items) expect(item.documentation).toBeTruthy();
  });

  test('a node offers the members of its kind that are not there yet', async () => {
    expect(await labels('{ "$kind": "defplan", "name": "a/p@1", | }')).toEqual([
      ...Object.keys(NODE_SHAPES.defplan.members).filter((name) => name !== '$kind' && name !== 'name'),
      '$comment',
    ]);
  });

  test('op offers every step kind, each with what it does', async () => {
    const items = await complete(step('"op": "|"'));
    expect(items.map(({ label }) => label)).toEqual(quoted(STEP_OPS));
    for (const item of items) expect(item.documentation).toBeTruthy();
  });

  test.each(STEP_OPS)('a step %s offers its members and no others', async (op) => {
    const expected = Object.keys(STEP_SHAPES[op].members).filter((name) => name !== 'id' && name !== 'op');
    expect(await labels(step(`"op": "${op}", |`))).toEqual([...expected, '$comment']);
  });

  test('the list of steps offers a whole step of each kind', async () => {
    expect(await labels(plan('"steps": [ | ]'))).toEqual(STEP_OPS);
  });

  test('cap_grants offers whole grants', async () => {
    expect(await labels('{ "$kind": "manifest", "defaults": { "cap_grants": [ | ] } }')).toContain('grant http.out');
  });

  test('a built-in effect kind is offered with the grant it takes and its parameters', async () => {
    const items = await complete(step('"op": "emit_effect", "kind": "|"'));
    const http = items.find(({ label }) => label === '"http.request"');
    expect(JSON.stringify(http?.documentation)).toMatch(/http\.out.*sys\/HttpRequestParams@1.*method: text/);
  });

  test('params of a built-in effect offer its fields', async () => {
    const found = await labels(step('"op": "emit_effect", "kind": "http.request", "params": { | }'));
    expect(found).toEqual(expect.arrayContaining(['method', 'url', 'headers', 'body_ref', 'ref', 'op']));
  });

  test('params of a grant offer what grants of that cap can say', async () => {
    const grant = '{ "name": "g", "cap": "sys/http.out@1", "params": { | } }';
    const found = await labels(`{ "$kind": "manifest", "defaults": { "cap_grants": [ ${grant} ] } }`);
    expect(found).toEqual(['hosts', 'schemes', 'methods', 'ports', 'path_prefixes']);
  });

  test('an expression offers its forms, an operation its operators', async () => {
    const where = (text: string) => step(`"op": "await_event", "where": ${text}`);
    expect(await labels(where('{ | }'))).toEqual(
      expect.arrayContaining(['ref', 'op', 'args', 'text', 'nat', 'record']),
    );
    expect((await labels(where('{ "op": "|" }'))).sort()).toEqual(quoted(Object.keys(OPERATIONS)).sort());
    expect(await labels(where('{ "ref": | }'))).toEqual(expect.arrayContaining(['@plan.input', '@event']));
    expect(await labels(where('|'))).toEqual(expect.arrayContaining(['reference', 'operation']));
  });

  test('a type offers every form; an element of a set only what may be one', async () => {
    expect(await labels('{ "$kind": "defschema", "type": { | } }')).toEqual(Object.keys(TYPE_FORMS));
    const inSet = await labels('{ "$kind": "defschema", "type": { "set": { | } } }');
    expect(inSet).toContain('text');
    expect(inSet).not.toContain('record');
  });

  test('references of the manifest offer the built-in names of their section', async () => {
    const manifest = (rest: string) => `{ "$kind": "manifest", ${rest} }`;
    expect(await labels(manifest('"effects": [ { "name": "|" } ]'))).toContain('"sys/http.request@1"');
    expect(await labels(manifest('"caps": [ { "name": "|" } ]'))).toContain('"sys/http.out@1"');
  });

  test('worldline.json and worldline.host.json offer their keys', async () => {
    expect(await labels('{ | }', SYNC)).toEqual(['version', 'air', 'checks', '$comment']);
    expect(await labels('{ "http": { | } }', HOST)).toContain('retry_statuses');
    expect(await labels('{ "journal": { "fsync": "|" } }', HOST)).toEqual(['"group"', '"always"']);
  });
});

describe('what completion writes', () => {
  /** A template with its places filled as they are proposed. */
  function filled(template: string): unknown {
    // What looks like a variable of VS Code would be replaced by its value.
    expect(template).not.toMatch(/(?<!\\)\$[A-Za-z_]/);
    let text = template;
    for (;;) {
      const next = text
        .replace(/\$\{\d+\|([^,|}]*)[^}]*\}/g, '$1')
        .replace(/\$\{\d+:((?:[^}\\$]|\\.)*)\}/g, (_, inner: string) => inner.replace(/\\(.)/g, '$1'))
        .replace(/(?<!\\)\$\d+/g, '{ "ref": "@plan.input" }')
        .replace(/\\\$/g, '\u0000');
      if (next === text) break;
      text = next;
    }
    return JSON.parse(text.replaceAll('\u0000', '$'));
  }

  test('every template of a node is a node', async () => {
    for (const { label, insertText } of await complete('|')) {
      const node = filled(insertText as string) as never;
      expect([label, parseNode({ json: node, base: [] }, { authored: true }).problems]).toEqual([label, []]);
      expect([label, await messages(JSON.stringify(node))]).toEqual([label, []]);
    }
  });

  test('every template of a step is a step', async () => {
    const steps = (await complete(plan('"steps": [ | ]'))).map(({ insertText }) => filled(insertText as string));
    const node = { $kind: 'defplan', name: 'a/p@1', input: 'a/i@1', steps } as never;
    expect(parseNode({ json: node, base: [] }, { authored: true }).problems).toEqual([]);
  });

  test('every template of a grant, trigger, edge and rule fits where it is offered', async () => {
    const manifest = {
      $kind: 'manifest',
      air_version: '1',
      schemas: [],
      modules: [],
      plans: [],
      caps: [],
      policies: [],
      defaults: { cap_grants: await templates('{ "$kind": "manifest", "defaults": { "cap_grants": [ | ] } }') },
      triggers: await templates('{ "$kind": "manifest", "triggers": [ | ] }'),
      routing: { events: await templates('{ "$kind": "manifest", "routing": { "events": [ | ] } }') },
    };
    const edges = await templates('{ "$kind": "defplan", "edges": [ | ] }');
    const rules = await templates('{ "$kind": "defpolicy", "rules": [ | ] }');
    const nodes = [
      manifest,
      { $kind: 'defplan', name: 'a/p@1', input: 'a/i@1', steps: [{ id: 'e', op: 'end' }], edges },
      { $kind: 'defpolicy', name: 'a/p@1', rules },
    ];
    expect([manifest.defaults.cap_grants, manifest.triggers, manifest.routing.events, edges, rules]).not.toContainEqual(
      [],
    );
    for (const node of nodes) {
      expect(parseNode({ json: node as never, base: [] }, { authored: true }).problems).toEqual([]);
    }
  });

  async function templates(text: string): Promise<unknown[]> {
    return (await complete(text)).map(({ insertText }) => filled(insertText as string));
  }
});

describe('hover', () => {
  test('await_event.where says what it selects', async () => {
    const said = await hover(step('"op": "await_event", "event": "a/e@1", "w|here": { "op": "eq", "args": [] }'));
    expect(said).toBe(STEP_SHAPES.await_event.members.where.says);
  });

  test.each(
    STEP_OPS.flatMap((op) =>
      Object.entries(STEP_SHAPES[op].members)
        .filter(([name]) => name !== 'op')
        .map(([name, { says }]) => [op, name, says] as const),
    ),
  )('%s.%s says what it is for', async (op, name, says) => {
    const id = name === 'id' ? '' : '"id": "s", ';
    const text = plan(`"steps": [ { ${id}"op": "${op}", "|${name}": {} } ]`);
    expect(await hover(text)).toContain(says);
  });

  test.each(
    Object.entries(NODE_SHAPES).flatMap(([kind, { members }]) =>
      Object.entries(members)
        .filter(([name]) => name !== '$kind')
        .map(([name, { says }]) => [kind, name, says] as const),
    ),
  )('%s.%s says what it is for', async (kind, name, says) => {
    expect(await hover(`{ "$kind": "${kind}", "|${name}": {} }`)).toContain(says);
  });

  test('a value says what it means', async () => {
    expect(await hover('{ "$kind": "def|cap" }')).toContain(NODE_SHAPES.defcap.says);
    expect(await hover(step('"op": "spawn_for_|each"'))).toContain(STEP_SHAPES.spawn_for_each.says);
    expect(
      await hover(step('"op": "end", "result": { "op": "con|cat", "args": [ {"text": "a"}, {"text": "b"} ] }')),
    ).toContain(OPERATIONS.concat.says);
    expect(await hover('{ "$kind": "defschema", "type": { "var|iant": {} } }')).toContain(TYPE_FORMS.variant.says);
  });
});

describe('underlining says what is wrong with the kind that is meant', () => {
  test('one sentence for one mistake', async () => {
    expect(await messages(step('"op": "assign", "expr": 1, "bind": { "as": "x" }, "event": "a/e@1"'))).toEqual([
      'Property event is not allowed.',
    ]);
    expect(await messages(step('"op": "await_receipt", "for": { "ref": "@var:h" }'))).toEqual([
      'Missing property "bind".',
    ]);
    expect(await messages(plan('"steps": [], "locals": { "x": "Task" }'))).toEqual([
      'A name reads namespace/name@version, such as acme/order@1.',
    ]);
  });

  test('nothing is said of a valid file', async () => {
    expect(await messages(plan('"steps": [ { "id": "e", "op": "end", "$comment": "done" } ]'))).toEqual([]);
  });
});
