import { type DiagnosticGroup, example } from './entry.ts';

/** Text, structure and names: rules V-101 … V-109. */
export const STRUCTURE: DiagnosticGroup = {
  title: 'Files and structure',
  entries: [
    {
      code: 'json.invalid',
      severity: 'error',
      rules: ['V-101'],
      title: 'A file is no JSON, or holds something that is no node.',
      meaning:
        'Each file is one node, a list of nodes, or blank. It is strict JSON: double quotes, no comments, no comma behind the last item. Add what is missing at the marked place; notes go into a member "$comment". JSON may nest 128 levels deep.',
      wrong: example(
        'nodes',
        `
        {
          "$kind": "defschema",
          "name": "demo/Example@1",
          "type": { "text": {} },
        «}»
      `,
      ),
      right: example(
        'nodes',
        `
        {
          "$kind": "defschema",
          "name": "demo/Example@1",
          "type": { "text": {} }
        }
      `,
      ),
    },
    {
      code: 'json.duplicate_key',
      severity: 'error',
      rules: ['V-101'],
      title: 'An object has two members of one name.',
      meaning:
        'Most JSON readers silently keep one of the two, and not all the same one. Here it is refused, because a definition must mean the same to everybody. Remove one of them.',
      wrong: example(
        'type',
        `
        {
          "record": {
            "id": { "text": {} },
            «"id"»: { "nat": {} }
          }
        }
      `,
      ),
      right: example(
        'type',
        `
        {
          "record": {
            "id": { "text": {} },
            "number": { "nat": {} }
          }
        }
      `,
      ),
    },
    {
      code: 'node.unknown_kind',
      severity: 'error',
      rules: ['V-102'],
      title: 'The "$kind" of a node is none of the kinds there are.',
      meaning:
        'Every node says what it is in "$kind": defschema, defmodule, defplan, defeffect, defcap, defpolicy, defsecret or manifest. A file below the folder of definitions that is no definition belongs elsewhere.',
      wrong: example(
        'folder',
        `
        [
          { "$kind": "manifest", "air_version": "1", "schemas": [], "modules": [], "plans": [], "caps": [], "policies": [] },
          { "$kind": «"schema"», "name": "demo/Example@1", "type": { "text": {} } }
        ]
      `,
      ),
      right: example(
        'folder',
        `
        [
          { "$kind": "manifest", "air_version": "1", "schemas": [{ "name": "demo/Example@1" }], "modules": [], "plans": [], "caps": [], "policies": [] },
          { "$kind": "defschema", "name": "demo/Example@1", "type": { "text": {} } }
        ]
      `,
      ),
    },
    {
      code: 'node.bad_field',
      severity: 'error',
      rules: ['V-103', 'V-705'],
      title: 'A member is missing, or its value is not of the kind it must be.',
      meaning:
        'Each node and each step has members that must be there, and each member takes one kind of JSON value: a text, a list, an object, one of a few words. The message says what is expected and what was found. A missing member is shown at the object that lacks it.',
      wrong: example(
        'steps',
        `
        [
          { "id": "done", "op": «"finish"» }
        ]
      `,
      ),
      right: example(
        'steps',
        `
        [
          { "id": "done", "op": "end" }
        ]
      `,
      ),
    },
    {
      code: 'node.unknown_field',
      severity: 'error',
      rules: ['V-104'],
      title: 'A node has a member that its kind does not know.',
      meaning:
        'A member nobody reads is nearly always a misspelt one, and then what was meant is missing. So unknown members are refused, wherever they stand. Correct the name, or keep a note under "$comment", which is allowed everywhere.',
      wrong: example(
        'plan',
        `
        {
          "steps": [{ "id": "done", "op": "end" }],
          «"edegs"»: []
        }
      `,
      ),
      right: example(
        'plan',
        `
        {
          "$comment": "one step needs no edges",
          "steps": [{ "id": "done", "op": "end" }],
          "edges": []
        }
      `,
      ),
    },
    {
      code: 'name.invalid',
      severity: 'error',
      rules: ['V-105'],
      title: 'A name does not read namespace/name@version.',
      meaning:
        'Definitions are named "namespace/name@version": the namespace begins with a lower-case letter, the version is a whole number from 1. The version is part of the name, so that two versions can stand side by side.',
      wrong: example(
        'plan',
        `
        {
          "output": «"Shipped"»,
          "steps": [{ "id": "done", "op": "end", "result": { "id": "o-1", "late": false } }]
        }
      `,
      ),
      right: example(
        'plan',
        `
        {
          "output": "demo/Shipped@1",
          "steps": [{ "id": "done", "op": "end", "result": { "id": "o-1", "late": false } }]
        }
      `,
      ),
    },
    {
      code: 'ident.invalid',
      severity: 'error',
      rules: ['V-106'],
      title: 'The name of a step, variable, grant or slot has characters it may not have.',
      meaning:
        'Step ids, variables, grants and slots begin with a letter or "_" and go on with letters, digits, "_", "." or "-", at most 64 characters in all. Effect kinds and cap types are lower-case.',
      wrong: example(
        'steps',
        `
        [
          { "id": «"1st step"», "op": "end" }
        ]
      `,
      ),
      right: example(
        'steps',
        `
        [
          { "id": "first_step", "op": "end" }
        ]
      `,
      ),
    },
    {
      code: 'hash.invalid',
      severity: 'error',
      rules: ['V-107'],
      title: 'A hash is not "sha256:" and 64 lower-case hex digits.',
      meaning:
        'Hashes pin definitions byte for byte, so they have exactly one spelling. In the files of a folder they can be left out altogether: they are filled in when the folder is loaded.',
      wrong: example(
        'manifest',
        `
        {
          "policies": [{ "name": "demo/policy@1", "hash": «"sha256:12AB"» }]
        }
      `,
      ),
      right: example(
        'manifest',
        `
        {
          "policies": [{ "name": "demo/policy@1" }]
        }
      `,
      ),
    },
    {
      code: 'module.abi_mismatch',
      severity: 'error',
      rules: ['V-108'],
      title: 'A module does not describe the interface that its kind needs.',
      meaning:
        'A module of kind "reducer" describes itself under abi.reducer (state and event), one of kind "pure" under abi.pure (input and output), and never both. A key_schema belongs to reducers only.',
      beside: ['unsupported'],
      wrong: example(
        'nodes',
        `
        {
          "$kind": "defmodule",
          "name": "demo/counter@1",
          "module_kind": "reducer",
          "wasm_hash": "",
          "abi": «{}»
        }
      `,
      ),
      right: example(
        'nodes',
        `
        {
          "$kind": "defmodule",
          "name": "demo/counter@1",
          "module_kind": "reducer",
          "wasm_hash": "",
          "abi": { "reducer": { "state": "demo/Shipped@1", "event": "demo/Paid@1" } }
        }
      `,
      ),
    },
    {
      code: 'expr.invalid',
      severity: 'error',
      rules: ['V-109'],
      title: 'Where an expression belongs stands something that is none.',
      meaning:
        'An expression is a reference {"ref": "@…"}, a constant with its tag such as {"text": "a"} or {"nat": 1}, an operation {"op": …, "args": […]}, or a record, list, set, map or variant of expressions. The usual mistakes are a constant without its tag, a misspelt operator, and a reference that does not begin with @plan.input, @var:, @step: or @event.',
      wrong: example(
        'expr',
        `
        { "op": "add", "args": [{ "ref": "@plan.input.amount" }, «1»] }
      `,
      ),
      right: example(
        'expr',
        `
        { "op": "add", "args": [{ "ref": "@plan.input.amount" }, { "nat": 1 }] }
      `,
      ),
    },
    {
      code: 'expr_too_large',
      severity: 'error',
      rules: ['V-109'],
      title: 'An expression nests deeper than 64 levels or has more than 10 000 parts.',
      meaning:
        'The limits belong to the language, so that every expression ends soon on every machine. Compute part of it in an assign step and refer to its variable.',
      wrong: example(
        'expr',
        `{ "list": [${'{ "ref": "@plan.input.amount" }, '.repeat(9_999)}«{ "ref": "@plan.input.amount" }»] }`,
        {
          shown: '{ "list": [{ "ref": "@plan.input.amount" }, … 9 998 more …, «{ "ref": "@plan.input.amount" }»] }',
        },
      ),
      right: example('expr', '{ "list": [{ "ref": "@plan.input.amount" }, { "ref": "@plan.input.amount" }] }'),
    },
  ],
};
