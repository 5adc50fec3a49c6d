import { type DiagnosticGroup, example } from './entry.ts';
import { RACE_EDGES, RACE_STEPS } from './pieces.ts';

/** References and types of expressions: V-513 and the static checker. */
export const EXPRESSIONS: DiagnosticGroup = {
  title: 'Expressions and their types',
  entries: [
    {
      code: 'ref_root_forbidden',
      severity: 'error',
      rules: ['V-513'],
      title: 'An expression reads something that is not there in its place.',
      meaning:
        '@event exists only where an event is being looked at: in the where of an await_event and in triggers. Bind the event with await_event, and read the variable from then on.',
      wrong: example(
        'steps',
        `
        [
          { "id": "note", "op": "assign", "expr": { "ref": «"@event.id"» }, "bind": { "as": "seen" } },
          { "id": "done", "op": "end" }
        ]
      `,
      ),
      right: example(
        'plan',
        `
        {
          "steps": [
            { "id": "paid", "op": "await_event", "event": "demo/Paid@1", "where": { "op": "eq", "args": [{ "ref": "@event.id" }, { "ref": "@plan.input.id" }] }, "bind": { "as": "payment" } },
            { "id": "note", "op": "assign", "expr": { "ref": "@var:payment.id" }, "bind": { "as": "seen" } },
            { "id": "done", "op": "end" },
            ${RACE_STEPS}
          ],
          "edges": [
            { "from": "paid", "to": "note" },
            { "from": "note", "to": "done" },
            ${RACE_EDGES}
          ]
        }
      `,
      ),
    },
    {
      code: 'ref_unknown_var',
      severity: 'error',
      rules: ['V-513'],
      title: 'An expression reads a variable that nothing binds.',
      meaning:
        'Variables are the locals of the plan, what steps bind, and correlation_id. Usually the name is misspelt, or the step that bound it was renamed.',
      wrong: example(
        'steps',
        `
        [
          { "id": "note", "op": "assign", "expr": { "ref": «"@var:greting"» }, "bind": { "as": "greeting" } },
          { "id": "done", "op": "end" }
        ]
      `,
      ),
      right: example(
        'plan',
        `
        {
          "steps": [
            { "id": "say", "op": "assign", "expr": { "text": "hello" }, "bind": { "as": "greeting" } },
            { "id": "note", "op": "assign", "expr": { "ref": "@var:greeting" }, "bind": { "as": "noted" } },
            { "id": "done", "op": "end" }
          ],
          "edges": [{ "from": "say", "to": "note" }, { "from": "note", "to": "done" }]
        }
      `,
      ),
    },
    {
      code: 'ref_unknown_step',
      severity: 'error',
      rules: ['V-513'],
      title: 'An expression reads the value of a step that the plan does not have.',
      meaning: '@step:<id> is the value of a step of the same plan. Usually the id is misspelt or was renamed.',
      wrong: example(
        'steps',
        `
        [
          { "id": "note", "op": "assign", "expr": { "ref": «"@step:say"» }, "bind": { "as": "noted" } },
          { "id": "done", "op": "end" }
        ]
      `,
      ),
      right: example(
        'plan',
        `
        {
          "steps": [
            { "id": "say", "op": "assign", "expr": { "text": "hello" }, "bind": { "as": "greeting" } },
            { "id": "note", "op": "assign", "expr": { "ref": "@step:say" }, "bind": { "as": "noted" } },
            { "id": "done", "op": "end" }
          ],
          "edges": [{ "from": "say", "to": "note" }, { "from": "note", "to": "done" }]
        }
      `,
      ),
    },
    {
      code: 'unknown_field',
      severity: 'error',
      rules: ['V-109'],
      title: 'A path names a field that the value does not have, or a record is built with one.',
      meaning:
        'The type of every reference is known, so a misspelt field is found here and not in production. The hint names the nearest field there is.',
      wrong: example(
        'expr',
        `
        «{ "ref": "@plan.input.order_id" }»
      `,
      ),
      right: example(
        'expr',
        `
        { "ref": "@plan.input.id" }
      `,
      ),
    },
    {
      code: 'unknown_tag',
      severity: 'error',
      rules: ['V-109'],
      title: 'An expression builds, or asks for, an arm that the variant does not have.',
      meaning:
        'A variant is one of the arms that its schema names. Comparing $tag with another text could never hold. The hint names the nearest arm.',
      wrong: example(
        'expr',
        `
        { "op": "eq", "args": [{ "ref": "@plan.input.payment.$tag" }, «{ "text": "Cheque" }»] }
      `,
      ),
      right: example(
        'expr',
        `
        { "op": "eq", "args": [{ "ref": "@plan.input.payment.$tag" }, { "text": "Cash" }] }
      `,
      ),
    },
    {
      code: 'path_on_scalar',
      severity: 'error',
      rules: ['V-109'],
      title: 'A path goes into a value that has no parts to name.',
      meaning:
        'Fields are read from records, variants, maps with text keys and receipts. A text, number, list or set has no fields; the item of a list is read with the operator get.',
      wrong: example(
        'expr',
        `
        «{ "ref": "@plan.input.id.length" }»
      `,
      ),
      right: example(
        'expr',
        `
        { "op": "len", "args": [{ "ref": "@plan.input.id" }] }
      `,
      ),
    },
    {
      code: 'arm_type_conflict',
      severity: 'error',
      rules: ['V-109'],
      title: 'A field below $value has different types in different arms.',
      meaning:
        'Without knowing the arm, the type of the field cannot be known either. Guard the step with eq on $tag: from then on the arm is known, and its field is read with its own type.',
      wrong: example(
        'nodes',
        `
        [
          {
            "$kind": "defschema",
            "name": "demo/Answer@1",
            "type": { "variant": { "Number": { "record": { "it": { "nat": {} } } }, "Word": { "record": { "it": { "text": {} } } } } }
          },
          {
            "$kind": "defplan",
            "name": "demo/example@1",
            "input": "demo/Answer@1",
            "steps": [
              { "id": "read", "op": "assign", "expr": «{ "ref": "@plan.input.$value.it" }», "bind": { "as": "it" } },
              { "id": "done", "op": "end" }
            ],
            "edges": [{ "from": "read", "to": "done" }]
          }
        ]
      `,
      ),
      right: example(
        'nodes',
        `
        [
          {
            "$kind": "defschema",
            "name": "demo/Answer@1",
            "type": { "variant": { "Number": { "record": { "it": { "nat": {} } } }, "Word": { "record": { "it": { "text": {} } } } } }
          },
          {
            "$kind": "defplan",
            "name": "demo/example@1",
            "input": "demo/Answer@1",
            "steps": [
              { "id": "begin", "op": "assign", "expr": { "text": "reading" }, "bind": { "as": "state" } },
              { "id": "read", "op": "assign", "expr": { "ref": "@plan.input.$value.it" }, "bind": { "as": "it" } },
              { "id": "done", "op": "end" },
              { "id": "other", "op": "end" }
            ],
            "edges": [
              { "from": "begin", "to": "read", "when": { "op": "eq", "args": [{ "ref": "@plan.input.$tag" }, { "text": "Word" }] } },
              { "from": "begin", "to": "other", "when": { "op": "ne", "args": [{ "ref": "@plan.input.$tag" }, { "text": "Word" }] } },
              { "from": "read", "to": "done" }
            ]
          }
        ]
      `,
      ),
    },
    {
      code: 'operand_type',
      severity: 'error',
      rules: ['V-109'],
      title: 'An operator is given something that it does not work on.',
      meaning:
        'Each operator takes operands of certain types: and takes bools, concat takes texts, add takes numbers, or a time and a duration. Nothing is converted silently.',
      wrong: example(
        'expr',
        `
        { "op": "and", "args": [{ "ref": "@plan.input.paid" }, «{ "ref": "@plan.input.amount" }»] }
      `,
      ),
      right: example(
        'expr',
        `
        {
          "op": "and",
          "args": [{ "ref": "@plan.input.paid" }, { "op": "gt", "args": [{ "ref": "@plan.input.amount" }, { "nat": 0 }] }]
        }
      `,
      ),
    },
    {
      code: 'never_equal',
      severity: 'error',
      rules: ['V-109'],
      title: 'Two values are compared that can never be equal.',
      meaning:
        'A text is never equal to a number, whatever it reads. Such a comparison would always be false and hide a mistake. Compare values of one type.',
      wrong: example(
        'expr',
        `
        «{ "op": "eq", "args": [{ "ref": "@plan.input.id" }, { "nat": 5 }] }»
      `,
      ),
      right: example(
        'expr',
        `
        { "op": "eq", "args": [{ "ref": "@plan.input.id" }, { "text": "5" }] }
      `,
      ),
    },
    {
      code: 'get_key_not_constant',
      severity: 'error',
      rules: ['V-109'],
      title: 'get or has asks a record or variant for a field that is not known before the run.',
      meaning:
        'Fields of a record have different types, so which field is read must be written down: a constant text. To choose at run time, use a map.',
      wrong: example(
        'expr',
        `
        { "op": "get", "args": [{ "ref": "@plan.input" }, «{ "ref": "@plan.input.id" }»] }
      `,
      ),
      right: example(
        'expr',
        `
        { "op": "get", "args": [{ "ref": "@plan.input" }, { "text": "id" }] }
      `,
      ),
    },
    {
      code: 'key_type',
      severity: 'error',
      rules: ['V-109'],
      title: 'A map has keys, or a set has elements, of a type that cannot be one.',
      meaning:
        'Keys of maps are int, nat, text, uuid or hash; elements of sets are scalars. For other things take a list, or use the hash of the value as the key.',
      wrong: example(
        'expr',
        `
        { "map": [{ "key": «{ "ref": "@plan.input.paid" }», "value": { "nat": 1 } }] }
      `,
      ),
      right: example(
        'expr',
        `
        { "map": [{ "key": { "ref": "@plan.input.id" }, "value": { "nat": 1 } }] }
      `,
      ),
    },
    {
      code: 'element_type',
      severity: 'error',
      rules: ['V-109'],
      title: 'The items of a list, set or map are not of one type.',
      meaning:
        'All items have one type; integers of both kinds mix, and null mixes with anything and makes an option of it. To keep different things together, build records or variants.',
      wrong: example(
        'expr',
        `
        { "list": [{ "ref": "@plan.input.id" }, «{ "ref": "@plan.input.amount" }»] }
      `,
      ),
      right: example(
        'expr',
        `
        { "list": [{ "ref": "@plan.input.id" }, { "text": "o-2" }] }
      `,
      ),
    },
    {
      code: 'not_bool',
      severity: 'error',
      rules: ['V-109'],
      title: 'A guard, where, when or invariant is not a bool.',
      meaning:
        'Only true is true: a number, a text or an option is no condition. Compare it with something; an optional bool is compared with {"bool": true}.',
      wrong: example(
        'plan',
        `
        {
          "steps": [
            { "id": "note", "op": "assign", "expr": { "text": "hello" }, "bind": { "as": "greeting" } },
            { "id": "done", "op": "end" }
          ],
          "edges": [{ "from": "note", "to": "done", "when": «{ "ref": "@plan.input.amount" }» }]
        }
      `,
      ),
      right: example(
        'plan',
        `
        {
          "steps": [
            { "id": "note", "op": "assign", "expr": { "text": "hello" }, "bind": { "as": "greeting" } },
            { "id": "done", "op": "end" },
            { "id": "other", "op": "end" }
          ],
          "edges": [
            { "from": "note", "to": "done", "when": { "op": "gt", "args": [{ "ref": "@plan.input.amount" }, { "nat": 0 }] } },
            { "from": "note", "to": "other", "when": { "op": "le", "args": [{ "ref": "@plan.input.amount" }, { "nat": 0 }] } }
          ]
        }
      `,
      ),
    },
    {
      code: 'slot_type',
      severity: 'error',
      rules: ['V-109'],
      title: 'A reference or result does not have the type that its place needs.',
      meaning:
        'Params, events, results and typed variables take values of their schema. What is expected and what was found is named; when a field of the right type is near, the hint names it. Numbers are not turned into text; records are taken apart and built anew.',
      wrong: example(
        'steps',
        `
        [
          { "id": "tell", "op": "raise_event", "event": "demo/Shipped@1", "value": { "id": «{ "ref": "@plan.input.amount" }», "late": false } },
          { "id": "done", "op": "end" }
        ]
      `,
      ),
      right: example(
        'steps',
        `
        [
          { "id": "tell", "op": "raise_event", "event": "demo/Shipped@1", "value": { "id": { "ref": "@plan.input.id" }, "late": false } },
          { "id": "done", "op": "end" }
        ]
      `,
      ),
    },
    {
      code: 'const_range',
      severity: 'error',
      rules: ['V-109'],
      title: 'A constant number does not fit the range of its place.',
      meaning:
        'Integers of both kinds may stand for each other as long as the number fits: a nat is never negative. For a constant that is known now.',
      wrong: example(
        'steps',
        `
        [
          { "id": "arm", "op": "emit_effect", "kind": "timer.set", "cap": "cap_timer", "params": { "deliver_at_ns": «{ "op": "sub", "args": [{ "nat": 1 }, { "nat": 2 }] }» }, "bind": { "effect_id_as": "arm_h" } },
          { "id": "done", "op": "end" }
        ]
      `,
      ),
      right: example(
        'steps',
        `
        [
          { "id": "arm", "op": "emit_effect", "kind": "timer.set", "cap": "cap_timer", "params": { "deliver_at_ns": { "op": "sub", "args": [{ "nat": 2 }, { "nat": 1 }] } }, "bind": { "effect_id_as": "arm_h" } },
          { "id": "done", "op": "end" }
        ]
      `,
      ),
    },
    {
      code: 'const_error',
      severity: 'error',
      rules: ['V-109'],
      title: 'A part of an expression without references fails whenever it is computed.',
      meaning:
        'What does not depend on the run is computed before it: a division by zero, an index beyond the end of a written list, a number that grows too large. It would fail in every run, so it is refused.',
      wrong: example(
        'expr',
        `
        {
          "op": "add",
          "args": [{ "ref": "@plan.input.amount" }, «{ "op": "div", "args": [{ "nat": 1 }, { "nat": 0 }] }»]
        }
      `,
      ),
      right: example(
        'expr',
        `
        {
          "op": "add",
          "args": [{ "ref": "@plan.input.amount" }, { "op": "div", "args": [{ "nat": 4 }, { "nat": 2 }] }]
        }
      `,
      ),
    },
    {
      code: 'handle_misuse',
      severity: 'error',
      rules: ['V-109'],
      title: 'A handle is used as if it were a value.',
      meaning:
        'The handle of an effect or child stands for something under way. It can be awaited and nothing else: it is not data, has no fields, and is in no event and no comparison. Await it and use the receipt.',
      wrong: example(
        'plan',
        `
        {
          "steps": [
            { "id": "arm", "op": "emit_effect", "kind": "timer.set", "cap": "cap_timer", "params": { "deliver_at_ns": { "ref": "@plan.input.deadline_ns" } }, "bind": { "effect_id_as": "arm_h" } },
            { "id": "mark", "op": "assign", "expr": { "op": "hash", "args": [«{ "ref": "@var:arm_h" }»] }, "bind": { "as": "seen" } },
            { "id": "done", "op": "end" }
          ],
          "edges": [{ "from": "arm", "to": "mark" }, { "from": "mark", "to": "done" }]
        }
      `,
      ),
      right: example(
        'plan',
        `
        {
          "steps": [
            { "id": "arm", "op": "emit_effect", "kind": "timer.set", "cap": "cap_timer", "params": { "deliver_at_ns": { "ref": "@plan.input.deadline_ns" } }, "bind": { "effect_id_as": "arm_h" } },
            { "id": "rang", "op": "await_receipt", "for": { "ref": "@var:arm_h" }, "bind": { "as": "bell" } },
            { "id": "mark", "op": "assign", "expr": { "ref": "@var:bell.$status" }, "bind": { "as": "seen" } },
            { "id": "done", "op": "end" }
          ],
          "edges": [{ "from": "rang", "to": "mark" }, { "from": "mark", "to": "done" }]
        }
      `,
      ),
    },
    {
      code: 'var_type_conflict',
      severity: 'error',
      rules: ['V-109'],
      title: 'Steps bind one variable with types that do not go together.',
      meaning:
        'Several branches may bind one variable, but whoever reads it must know its type. Integers of both kinds mix, and null with anything; otherwise the types must be equal. Use two variables, or a variant.',
      wrong: example(
        'plan',
        `
        {
          "steps": [
            { "id": "a", "op": "assign", "expr": { "text": "one" }, "bind": { "as": "x" } },
            { "id": "b", "op": "assign", "expr": { "nat": 2 }, "bind": { "as": «"x"» } },
            { "id": "done", "op": "end" }
          ],
          "edges": [{ "from": "a", "to": "b" }, { "from": "b", "to": "done" }]
        }
      `,
      ),
      right: example(
        'plan',
        `
        {
          "steps": [
            { "id": "a", "op": "assign", "expr": { "text": "one" }, "bind": { "as": "x" } },
            { "id": "b", "op": "assign", "expr": { "nat": 2 }, "bind": { "as": "y" } },
            { "id": "done", "op": "end" }
          ],
          "edges": [{ "from": "a", "to": "b" }, { "from": "b", "to": "done" }]
        }
      `,
      ),
    },
    {
      code: 'correlation_type',
      severity: 'error',
      rules: ['V-109'],
      title: 'correlation_id has different types, depending on which trigger starts the plan.',
      meaning:
        'Every trigger with correlate_by binds @var:correlation_id to a field of its event. When those fields have different types, an expression that reads it could be right for one start and wrong for the other. Correlate by fields of one type.',
      wrong: example('folder', twoTriggers('«{ "ref": "@var:correlation_id" }»', 'number')),
      right: example('folder', twoTriggers('{ "ref": "@var:correlation_id" }', 'id')),
    },
    {
      code: 'cross_kind_compare',
      severity: 'warning',
      rules: ['V-109'],
      title: 'Values of different kinds are compared by their digits or letters.',
      meaning:
        'A time compared with a plain number, or a hash with a text, can be equal; but it is seldom meant. Write the constant with its own tag: {"time_ns": …}, {"duration_ns": …}, {"hash": …}.',
      wrong: example(
        'expr',
        `
        «{ "op": "gt", "args": [{ "ref": "@plan.input.at" }, { "nat": 1700000000000000000 }] }»
      `,
      ),
      right: example(
        'expr',
        `
        { "op": "gt", "args": [{ "ref": "@plan.input.at" }, { "time_ns": 1700000000000000000 }] }
      `,
      ),
    },
    {
      code: 'unit_conversion',
      severity: 'warning',
      rules: ['V-109'],
      title: 'A time or duration is used as a plain number, or the other way round.',
      meaning:
        'Both are whole numbers of nanoseconds, so it works, checked at run time; but a number of seconds would pass just as well. Let the schema say time or duration, or compute with values that have the unit.',
      wrong: example(
        'nodes',
        `
        [
          { "$kind": "defschema", "name": "demo/Due@1", "type": { "record": { "at": { "time": {} } } } },
          {
            "$kind": "defplan",
            "name": "demo/example@1",
            "input": "demo/Order@1",
            "steps": [{ "id": "tell", "op": "raise_event", "event": "demo/Due@1", "value": { "at": «{ "ref": "@plan.input.amount" }» } }]
          }
        ]
      `,
      ),
      right: example(
        'nodes',
        `
        [
          { "$kind": "defschema", "name": "demo/Due@1", "type": { "record": { "at": { "time": {} } } } },
          {
            "$kind": "defplan",
            "name": "demo/example@1",
            "input": "demo/Order@1",
            "steps": [
              {
                "id": "tell",
                "op": "raise_event",
                "event": "demo/Due@1",
                "value": { "at": { "op": "add", "args": [{ "ref": "@plan.input.at" }, { "ref": "@plan.input.wait" }] } }
              }
            ]
          }
        ]
      `,
      ),
    },
    {
      code: 'text_conversion',
      severity: 'warning',
      rules: ['V-109'],
      title: 'A text is used as a hash, uuid or decimal number.',
      meaning:
        'It is read at run time, and a text that is none ends the run with "conversion". Take the value in its own type from the start: let the schema say hash, uuid or dec128.',
      wrong: example(
        'nodes',
        `
        [
          { "$kind": "defschema", "name": "demo/Stored@1", "type": { "record": { "body": { "hash": {} } } } },
          {
            "$kind": "defplan",
            "name": "demo/example@1",
            "input": "demo/Order@1",
            "steps": [{ "id": "tell", "op": "raise_event", "event": "demo/Stored@1", "value": { "body": «{ "ref": "@plan.input.id" }» } }]
          }
        ]
      `,
      ),
      right: example(
        'nodes',
        `
        [
          { "$kind": "defschema", "name": "demo/Stored@1", "type": { "record": { "body": { "hash": {} } } } },
          {
            "$kind": "defplan",
            "name": "demo/example@1",
            "input": "demo/Stored@1",
            "steps": [{ "id": "tell", "op": "raise_event", "event": "demo/Stored@1", "value": { "body": { "ref": "@plan.input.body" } } }]
          }
        ]
      `,
      ),
    },
    {
      code: 'predicate_constant',
      severity: 'warning',
      rules: ['V-109'],
      title: 'A guard, where or invariant has the same outcome in every run.',
      meaning:
        'A guard that is always true can be left out; one that is always false cuts off everything behind it. Usually a reference was meant.',
      wrong: example(
        'plan',
        `
        {
          "steps": [
            { "id": "note", "op": "assign", "expr": { "text": "hello" }, "bind": { "as": "greeting" } },
            { "id": "done", "op": "end" }
          ],
          "edges": [{ "from": "note", "to": "done", "when": «{ "op": "gt", "args": [{ "nat": 2 }, { "nat": 1 }] }» }]
        }
      `,
      ),
      right: example(
        'plan',
        `
        {
          "steps": [
            { "id": "note", "op": "assign", "expr": { "text": "hello" }, "bind": { "as": "greeting" } },
            { "id": "done", "op": "end" },
            { "id": "other", "op": "end" }
          ],
          "edges": [
            { "from": "note", "to": "done", "when": { "op": "gt", "args": [{ "ref": "@plan.input.amount" }, { "nat": 1 }] } },
            { "from": "note", "to": "other", "when": { "op": "le", "args": [{ "ref": "@plan.input.amount" }, { "nat": 1 }] } }
          ]
        }
      `,
      ),
    },
    {
      code: 'option_unwrap_unproven',
      severity: 'warning',
      rules: ['V-109'],
      title: 'An optional value is used where a value must be, and nothing shows that it is there.',
      meaning:
        'When it is none, the run ends with "none_access". Guard the edge with has, or with ne against null; then the steps behind it are known to have the value.',
      wrong: example(
        'steps',
        `
        [
          { "id": "tell", "op": "raise_event", "event": "demo/Shipped@1", "value": { "id": «{ "ref": "@plan.input.note" }», "late": false } },
          { "id": "done", "op": "end" }
        ]
      `,
      ),
      right: example(
        'plan',
        `
        {
          "steps": [
            { "id": "begin", "op": "assign", "expr": { "text": "telling" }, "bind": { "as": "state" } },
            { "id": "tell", "op": "raise_event", "event": "demo/Shipped@1", "value": { "id": { "ref": "@plan.input.note" }, "late": false } },
            { "id": "done", "op": "end" },
            { "id": "other", "op": "end" }
          ],
          "edges": [
            { "from": "begin", "to": "tell", "when": { "op": "has", "args": [{ "ref": "@plan.input" }, { "text": "note" }] } },
            { "from": "begin", "to": "other", "when": { "op": "not", "args": [{ "op": "has", "args": [{ "ref": "@plan.input" }, { "text": "note" }] }] } },
            { "from": "tell", "to": "done" }
          ]
        }
      `,
      ),
    },
    {
      code: 'variant_unrefined',
      severity: 'warning',
      rules: ['V-109'],
      title: 'A field below $value is read, and nothing shows that the arm has it.',
      meaning:
        'Some arms of the variant lack the field; in a run with such an arm the read fails with "missing_field". Guard the edge with eq on $tag, so that the arm is known. The same goes for $status of a local before its receipt is there: a start may have bound a record that has none.',
      wrong: example(
        'expr',
        `
        «{ "ref": "@plan.input.payment.$value.last4" }»
      `,
      ),
      right: example(
        'plan',
        `
        {
          "steps": [
            { "id": "begin", "op": "assign", "expr": { "text": "reading" }, "bind": { "as": "state" } },
            { "id": "read", "op": "assign", "expr": { "ref": "@plan.input.payment.$value.last4" }, "bind": { "as": "last4" } },
            { "id": "done", "op": "end" },
            { "id": "other", "op": "end" }
          ],
          "edges": [
            { "from": "begin", "to": "read", "when": { "op": "eq", "args": [{ "ref": "@plan.input.payment.$tag" }, { "text": "Card" }] } },
            { "from": "begin", "to": "other", "when": { "op": "ne", "args": [{ "ref": "@plan.input.payment.$tag" }, { "text": "Card" }] } },
            { "from": "read", "to": "done" }
          ]
        }
      `,
      ),
    },
    {
      code: 'payload_unproven',
      severity: 'warning',
      rules: ['V-109'],
      title: 'The payload of a receipt is read, and nothing shows that it has one.',
      meaning:
        'A receipt has its payload for sure only when $status is "ok"; after an error or a timeout it may have none, and the read fails with "no_payload". Guard the edge with eq of $status and "ok". check calls this RL004.',
      wrong: example(
        'plan',
        `
        {
          "steps": [
            { "id": "ask", "op": "emit_effect", "kind": "http.request", "cap": "cap_web", "params": { "method": "GET", "url": "https://example.com", "headers": {} }, "bind": { "effect_id_as": "ask_h" } },
            { "id": "answer", "op": "await_receipt", "for": { "ref": "@var:ask_h" }, "bind": { "as": "page" } },
            { "id": "read", "op": "assign", "expr": «{ "ref": "@var:page.status" }», "bind": { "as": "status" } },
            { "id": "done", "op": "end" },
            { "id": "failed", "op": "end" }
          ],
          "edges": [
            { "from": "answer", "to": "read" },
            { "from": "answer", "to": "failed", "when": { "op": "ne", "args": [{ "ref": "@var:page.$status" }, { "text": "ok" }] } },
            { "from": "read", "to": "done" }
          ]
        }
      `,
      ),
      right: example(
        'plan',
        `
        {
          "steps": [
            { "id": "ask", "op": "emit_effect", "kind": "http.request", "cap": "cap_web", "params": { "method": "GET", "url": "https://example.com", "headers": {} }, "bind": { "effect_id_as": "ask_h" } },
            { "id": "answer", "op": "await_receipt", "for": { "ref": "@var:ask_h" }, "bind": { "as": "page" } },
            { "id": "read", "op": "assign", "expr": { "ref": "@var:page.status" }, "bind": { "as": "status" } },
            { "id": "done", "op": "end" },
            { "id": "failed", "op": "end" }
          ],
          "edges": [
            { "from": "answer", "to": "read", "when": { "op": "eq", "args": [{ "ref": "@var:page.$status" }, { "text": "ok" }] } },
            { "from": "answer", "to": "failed", "when": { "op": "ne", "args": [{ "ref": "@var:page.$status" }, { "text": "ok" }] } },
            { "from": "read", "to": "done" }
          ]
        }
      `,
      ),
    },
  ],
};

/** A whole folder: two triggers start one plan, the second correlating by the given field. */
function twoTriggers(expr: string, second: string): string {
  return `
        [
          {
            "$kind": "manifest",
            "air_version": "1",
            "schemas": [{ "name": "demo/Task@1" }],
            "modules": [],
            "plans": [{ "name": "demo/work@1" }],
            "caps": [],
            "policies": [],
            "triggers": [
              { "event": "demo/Task@1", "plan": "demo/work@1", "correlate_by": "id" },
              { "event": "demo/Task@1", "plan": "demo/work@1", "correlate_by": "${second}", "when": { "op": "gt", "args": [{ "ref": "@event.number" }, { "nat": 9 }] } }
            ]
          },
          { "$kind": "defschema", "name": "demo/Task@1", "type": { "record": { "id": { "text": {} }, "number": { "nat": {} } } } },
          {
            "$kind": "defplan",
            "name": "demo/work@1",
            "input": "demo/Task@1",
            "steps": [
              { "id": "mark", "op": "assign", "expr": ${expr}, "bind": { "as": "whose" } },
              { "id": "done", "op": "end" }
            ],
            "edges": [{ "from": "mark", "to": "done" }]
          }
        ]
  `;
}
