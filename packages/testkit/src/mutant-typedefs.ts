import { type Path, pointer } from '@worldline/canon';
import {
  type Authored,
  at,
  copy,
  keys,
  type MutantWorld,
  type MutationClass,
  misspelt,
  type Place,
  put,
} from './mutant.ts';
import { manifestOf, nodesOf } from './mutant-view.ts';

/** Faults in type expressions: V-301 … V-307 (`values.md` §2, `definitions.md` §10). */

/** Every type expression in schemas and caps: node, path, and the JSON of it. */
function typesIn(
  world: MutantWorld,
): readonly { readonly node: number; readonly path: Path; readonly json: Authored }[] {
  return [
    ...nodesOf(world, 'defschema').map(({ node, json }) => ({ node, json, member: 'type' })),
    ...nodesOf(world, 'defcap').map(({ node, json }) => ({ node, json, member: 'schema' })),
  ].flatMap(({ node, json, member }) => {
    const found: { node: number; path: Path; json: Authored }[] = [];
    const visit = (type: Authored, path: Path): void => {
      found.push({ node, path, json: type });
      const [kind] = keys(type);
      const body = type[kind as string];
      if (kind === 'record' || kind === 'variant') {
        for (const name of keys(body)) visit(body[name], [...path, kind, name]);
      } else if (kind === 'list' || kind === 'set' || kind === 'option') {
        visit(body, [...path, kind]);
      } else if (kind === 'map') {
        visit(body.key, [...path, 'map', 'key']);
        visit(body.value, [...path, 'map', 'value']);
      }
    };
    visit(json[member], [member]);
    return found;
  });
}

/** Replace a type by a broken one. */
function broken(
  name: string,
  code: string,
  rule: string,
  values: readonly (readonly [value: Authored, found: Path])[],
  where: (json: Authored, path: Path) => boolean = () => true,
): MutationClass {
  return {
    name,
    alone: true,
    places: (world) =>
      typesIn(world).flatMap(({ node, path, json }) =>
        !where(json, path)
          ? []
          : values.map(
              ([value, found]): Place => ({
                at: `node ${node} ${pointer(path)} ${JSON.stringify(value)}`,
                node,
                // What reads the type knows that it is broken; what the grants of a cap fit is then not known.
                change: (draft) => {
                  put(draft.nodes[node], path, copy(value));
                  return [{ code, rule, node, path: [...path, ...found] }];
                },
              }),
            ),
      ),
  };
}

/** A key of a map and an element of a set have their own rules. */
const free = (_json: Authored, path: Path): boolean =>
  path.at(-1) !== 'key' && path.at(-1) !== 'set' && path.at(-1) !== 'option';

/** A further schema, and what is wrong with it. */
function added(
  name: string,
  code: string,
  rule: string,
  types: readonly (readonly [type: Authored, found: Path, hint?: string])[],
): MutationClass {
  return {
    name,
    alone: true,
    places: (world) =>
      types.map(
        ([type, found, hint]): Place => ({
          at: JSON.stringify(type),
          node: world.nodes.length,
          change: (draft) => {
            const node = draft.add({ $kind: 'defschema', name: 'mutant/Type@1', type });
            draft.nodes[manifestOf(world).node].schemas.push({ name: 'mutant/Type@1' });
            return [{ code, rule, node, path: ['type', ...found], hint }];
          },
        }),
      ),
  };
}

const TEXT = { text: {} };

export const TYPEDEF_CLASSES: readonly MutationClass[] = [
  broken('a type that is none', 'type.invalid', 'V-301', [
    ['text', []],
    [{}, []],
    [{ txt: {} }, ['txt']],
    [{ text: {}, nat: {} }, []],
    [{ text: { x: 1 } }, ['text']],
    [{ text: [] }, ['text']],
    [{ record: [] }, ['record']],
    [{ list: 7 }, ['list']],
    [{ ref: 'Shop/x@1' }, ['ref']],
    [{ ref: 7 }, ['ref']],
  ]),
  broken(
    'a bad map key',
    'type.bad_map_key',
    'V-302',
    [
      [{ map: { key: { bool: {} }, value: TEXT } }, ['map', 'key']],
      [{ map: { key: { list: TEXT }, value: TEXT } }, ['map', 'key']],
      [{ map: { key: { ref: 'sys/SecretRef@1' }, value: TEXT } }, ['map', 'key']],
      [{ map: { value: TEXT } }, ['map', 'key']],
      [{ map: { key: TEXT } }, ['map', 'value']],
    ],
    free,
  ),
  broken(
    'a bad set element',
    'type.bad_set_element',
    'V-303',
    [
      [{ set: { record: {} } }, ['set']],
      [{ set: { list: TEXT } }, ['set']],
      [{ set: { option: TEXT } }, ['set']],
      [{ set: { unit: {} } }, ['set']],
    ],
    free,
  ),
  broken(
    'an ambiguous option',
    'type.ambiguous_option',
    'V-304',
    [
      [{ option: { option: TEXT } }, ['option']],
      [{ option: { unit: {} } }, ['option']],
    ],
    free,
  ),
  broken(
    'an illegal member of a type',
    'type.bad_member',
    'V-307',
    [
      [{ variant: {} }, ['variant']],
      [{ record: { $tag: TEXT } }, ['record', '$tag']],
      [{ variant: { '': TEXT } }, ['variant', '']],
      [{ record: { a: TEXT, $b: TEXT } }, ['record', '$b']],
    ],
    free,
  ),
  added('a schema behind a ref that no set can hold', 'type.bad_set_element', 'V-303', [
    [{ record: { a: { set: { ref: 'sys/SecretRef@1' } } } }, ['record', 'a', 'set']],
    [{ list: { set: { ref: 'sys/TextOrSecretRef@1' } } }, ['list', 'set']],
  ]),
  {
    name: 'an option of an option behind a ref',
    alone: true,
    places: (world) => [
      {
        at: 'further schemas',
        node: world.nodes.length,
        change: (draft) => {
          draft.add({ $kind: 'defschema', name: 'mutant/Maybe@1', type: { option: TEXT } });
          draft.add({ $kind: 'defschema', name: 'mutant/None@1', type: { unit: {} } });
          const node = draft.add({
            $kind: 'defschema',
            name: 'mutant/Type@1',
            type: { record: { a: { option: { ref: 'mutant/Maybe@1' } }, b: { option: { ref: 'mutant/None@1' } } } },
          });
          for (const name of ['mutant/Maybe@1', 'mutant/None@1', 'mutant/Type@1']) {
            draft.nodes[manifestOf(world).node].schemas.push({ name });
          }
          return ['a', 'b'].map((field) => ({
            code: 'type.ambiguous_option',
            rule: 'V-304',
            node,
            path: ['type', 'record', field, 'option'],
          }));
        },
      },
    ],
  },
  added('a schema of itself', 'schema.recursive', 'V-305', [
    [{ ref: 'mutant/Type@1' }, []],
    [{ list: { ref: 'mutant/Type@1' } }, ['list']],
    [{ record: { a: TEXT, b: { option: { ref: 'mutant/Type@1' } } } }, ['record', 'b', 'option']],
    [{ map: { key: TEXT, value: { variant: { A: { ref: 'mutant/Type@1' } } } } }, ['map', 'value', 'variant', 'A']],
  ]),
  {
    name: 'schemas of each other',
    alone: true,
    places: (world) =>
      [2, 3, 9].map((length) => ({
        at: `${length} further schemas`,
        node: world.nodes.length,
        change: (draft) => {
          let node = 0;
          for (let i = 0; i < length; i += 1) {
            const name = `mutant/T${i}@1`;
            node = draft.add({ $kind: 'defschema', name, type: { list: { ref: `mutant/T${(i + 1) % length}@1` } } });
            draft.nodes[manifestOf(world).node].schemas.push({ name });
          }
          return [{ code: 'schema.recursive', rule: 'V-305', node, path: ['type', 'list'] }];
        },
      })),
  },
  {
    name: 'an unknown ref in a type',
    alone: true,
    places: (world) =>
      typesIn(world).flatMap(({ node, path, json }) => {
        if (typeof json.ref !== 'string') return [];
        const wrong = misspelt(json.ref, []);
        return [...(wrong === undefined ? [] : [wrong]), 'other/zz_unheard_of@1'].map(
          (name): Place => ({
            at: `node ${node} ${pointer(path)} ${name}`,
            node,
            change: (draft) => {
              at(draft.nodes[node], path).ref = name;
              return [
                {
                  code: 'schema.not_found',
                  rule: 'V-306',
                  node,
                  path,
                  hint: name === wrong ? `"${json.ref}"` : undefined,
                },
              ];
            },
          }),
        );
      }),
  },
];
