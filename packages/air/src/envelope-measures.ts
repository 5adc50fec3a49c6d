import { toBase64 } from '@worldline/canon';
import { asciiLower } from './enforcer-request.ts';
import { WORKSPACE_KINDS } from './enforcer-workspace.ts';
import {
  alternatives,
  anyFrom,
  exactly,
  type Known,
  knownMember,
  patternText,
  textPattern,
  union,
} from './envelope-known.ts';
import { type Limit, Limits } from './envelope-limits.ts';
import { printJson } from './json.ts';
import { literalToJson } from './literal.ts';
import type { Catalog, EffectDef, Grant } from './node.ts';
import { tryResolveType } from './type-resolve.ts';
import { parseUrl } from './url.ts';
import { text, type Value } from './value.ts';

/** What is measured in the params of an effect: the parts that enforcers judge, and the other fields. */

export type Denial = { readonly code: string; readonly message: string };

/** One thing that is measured in params. */
export interface Measure {
  readonly name: string;
  /** Of a value; undefined when it has no such thing, or an adapter would refuse it unread. */
  readonly of: (params: Value) => string | undefined;
  /** The same of what is known. */
  readonly known: Known;
  readonly limit?: Limit | undefined;
  readonly ignoreCase?: boolean | undefined;
  /** Not every effect of the kind has it, so that nothing being left denies nothing. */
  readonly isOptional?: boolean | undefined;
  /** The limit permits a little more than the enforcer does. */
  readonly isLoose?: boolean | undefined;
}

/** Text of a value in a bound. */
export function textOf(value: Value): string {
  switch (value.kind) {
    case 'null':
      return 'none';
    case 'bool':
    case 'int':
    case 'nat':
    case 'time':
    case 'duration':
      return String(value.value);
    case 'text':
    case 'hash':
    case 'uuid':
    case 'dec128':
      return value.value;
    case 'bytes':
      return toBase64(value.value);
    case 'receipt':
    case 'handle':
      return value.kind;
    default:
      return printJson(literalToJson(value));
  }
}

type Measures = { readonly list: readonly Measure[] } | Denial;

/** What the built-in enforcers read, with their limits; and the other fields of the params, which nobody limits. */
export function measuresOf(catalog: Catalog, effect: EffectDef, grant: Grant, params: Known): Measures {
  const limits = new Limits(catalog, grant);
  if (limits.areBad)
    return { code: 'cap_params_invalid', message: `grant ${grant.name} does not have the types of its enforcer` };
  const { effectKind } = effect;
  if (effectKind === 'http.request') return httpMeasures(params, limits);
  const fields = fieldMeasures(catalog, effect, params);
  const limited = (name: string, limit: Limit | undefined, more: Partial<Measure> = {}) => {
    const at = fields.findIndex((field) => field.name === name);
    if (at >= 0) fields[at] = { ...fields[at]!, limit, ...more };
  };
  switch (grant.enforcer) {
    case 'sys/CapEnforceLlmBasic@1':
      limited('provider', limits.set('providers', 'provider_not_allowed'));
      limited('model', limits.set('models', 'model_not_allowed'));
      limited('max_tokens', limits.max('max_tokens', 'max_tokens_exceeded'));
      fields.push(...toolMeasure(params, limits.set('tools_allow', 'tool_not_allowed')));
      break;
    case 'sys/CapEnforceFabric@1':
      limited('dest_world', limits.set('worlds', 'world_not_allowed'));
      limited('schema', limits.set('schemas', 'schema_not_allowed'));
      fields.push(...typedMessage(catalog, effect, limits.set('schemas', 'schema_not_allowed')));
      limited('mode', limits.set('modes', 'mode_not_allowed'), absentAs('mode', 'event', params));
      break;
    case 'sys/CapEnforceMcp@1':
      limited('server', limits.set('servers', 'server_not_allowed'));
      fields.push(mcpToolMeasure(params, limits.tools()));
      break;
    case 'sys/CapEnforceWorkspace@1': {
      const kind = WORKSPACE_KINDS.get(effectKind);
      if (kind === undefined) break;
      const { op, where } = kind;
      fields.push({
        name: 'operation',
        of: () => op,
        known: exactly(text(op)),
        limit: limits.set('ops', 'op_not_allowed', true),
        ignoreCase: true,
      });
      if (where === 'workspace') limited(where, limits.set('workspaces', 'workspace_not_allowed', false, 'list'));
      else limited(where, limits.folders(), absentAs(where, '', params));
      break;
    }
    case 'sys/CapEnforceQuery@1':
      limited('reducer', limits.scope(effectKind));
      break;
    default:
      break;
  }
  return { list: fields };
}

/** An absent field counts as `instead`. */
function absentAs(name: string, instead: string, params: Known): Partial<Measure> {
  const absent = (value: Value) => (value.kind === 'null' ? text(instead) : value);
  const known = knownMember(params, name, name);
  return {
    known: union(alternatives(known).map((one) => (one.is === 'value' ? exactly(absent(one.value)) : one))),
    of: (value) => {
      const field = fieldOf(value, name);
      return field === undefined ? undefined : textOf(absent(field));
    },
  };
}

function fieldOf(params: Value, name: string): Value | undefined {
  return params.kind === 'record' ? params.fields.get(name) : undefined;
}

function fieldMeasures(catalog: Catalog, effect: EffectDef, params: Known): Measure[] {
  const type = tryResolveType({ kind: 'ref', name: effect.paramsSchema }, catalog.scope);
  if (type?.kind !== 'record') return [];
  return [...type.fields.keys()].map((name) => ({
    name,
    of: (value) => {
      const field = fieldOf(value, name);
      return field === undefined ? undefined : textOf(field);
    },
    known: knownMember(params, name, name),
  }));
}

function httpMeasures(params: Known, limits: Limits): Measures {
  const isJudged = limits.grant.enforcer === 'sys/CapEnforceHttpOut@1';
  const url = knownMember(params, 'url', 'url');
  const options = alternatives(url).map((one) => knownUrl(one));
  const possible = isJudged ? options.filter((one) => one !== 'invalid') : options;
  if (possible.length === 0)
    return {
      code: 'invalid_url',
      message: `url ${alternatives(url)
        .map((one) => patternText(textPattern(one)))
        .join(' or ')}`,
    };
  const part = (name: keyof KnownUrl): Known =>
    union(possible.map((one) => (one === 'invalid' ? anyFrom(name) : one[name])));
  const of = (name: keyof KnownUrl) => (value: Value) => {
    const field = fieldOf(value, 'url');
    const parsed = field?.kind === 'text' ? parseUrl(field.value) : undefined;
    // No adapter takes a url of another form, so nothing is requested (`kernel.md` §9.6.1).
    return parsed?.ok === true ? String(parsed.value[name]) : undefined;
  };
  const fieldText = (name: string) => (value: Value) => {
    const field = fieldOf(value, name);
    return field?.kind === 'text' ? field.value : undefined;
  };
  const form: Limit = { permits: (one) => parseUrl(one).ok, code: 'invalid_url' };
  const limit = (made: Limit | undefined) => (isJudged ? made : undefined);
  const method = knownMember(params, 'method', 'method');
  return {
    list: [
      {
        name: 'method',
        of: fieldText('method'),
        known: method,
        limit: limit(limits.set('methods', 'method_not_allowed', true)),
        ignoreCase: true,
      },
      { name: 'url', of: fieldText('url'), known: url, limit: limit(form) },
      {
        name: 'scheme',
        of: of('scheme'),
        known: part('scheme'),
        limit: limit(limits.set('schemes', 'scheme_not_allowed', true)),
        ignoreCase: true,
      },
      {
        name: 'host',
        of: of('host'),
        known: part('host'),
        limit: limit(limits.set('hosts', 'host_not_allowed', true)),
        ignoreCase: true,
      },
      { name: 'port', of: of('port'), known: part('port'), limit: limit(limits.ports()) },
      { name: 'path', of: of('path'), known: part('path'), limit: limit(limits.paths()) },
    ],
  };
}

type KnownUrl = { readonly scheme: Known; readonly host: Known; readonly port: Known; readonly path: Known };

/**
 * The parts of a url of which the beginning is known. The authority is settled only when a `/`, `?` or `#` ends it: what
 * follows `https://api.example` may be `.elsewhere.example`. A path is settled only when a `?` or `#` ends it: what
 * follows `/public/` may be `../private`.
 */
function knownUrl(known: Known): KnownUrl | 'invalid' {
  const { parts, holes } = textPattern(known);
  const [start = ''] = parts;
  const unknown = anyFrom(holes.join(', '));
  if (parts.length === 1) {
    const url = parseUrl(start);
    if (!url.ok) return 'invalid';
    const { scheme, host, port, path } = url.value;
    return { scheme: constant(scheme), host: constant(host), port: constant(String(port)), path: constant(path) };
  }
  const authority = /^https?:\/\/[^/?#]*[/?#]/i.exec(start)?.[0];
  const scheme = /^(https?):\/\//i.exec(start)?.[1];
  if (authority === undefined) {
    return {
      scheme: scheme === undefined ? unknown : constant(asciiLower(scheme)),
      host: unknown,
      port: unknown,
      path: unknown,
    };
  }
  const settled = /^[^?#]*[?#]/.exec(start)?.[0].slice(0, -1);
  const url = parseUrl(settled ?? `${authority.slice(0, -1)}/`);
  if (!url.ok) return 'invalid';
  const { host, port, path } = url.value;
  return {
    scheme: constant(url.value.scheme),
    host: constant(host),
    port: constant(String(port)),
    path: settled === undefined ? unknown : constant(path),
  };
}

function constant(value: string): Known {
  return exactly(text(value));
}

/** The tool that the model must call, when the choice names one; other choices name none, and nothing is judged. */
function toolMeasure(params: Known, limit: Limit | undefined): readonly Measure[] {
  const choices = alternatives(knownMember(params, 'tool_choice', 'tool_choice'));
  const tagOf = (one: Known) =>
    (one.is === 'value' && one.value.kind === 'variant' ? one.value : one.is === 'variant' ? one : undefined)?.tag;
  const open = choices.filter((one) => one.is === 'any' || tagOf(one) === 'Tool');
  if (open.length === 0) return [];
  return [
    {
      name: 'tool',
      of: (value) => {
        const field = fieldOf(value, 'tool_choice');
        const name = field?.kind === 'variant' && field.tag === 'Tool' ? fieldOf(field.value, 'name') : undefined;
        return name?.kind === 'text' ? name.value : undefined;
      },
      known: union(open.map((one) => knownMember(knownMember(one, '$value', 'tool_choice'), 'name', 'tool_choice'))),
      limit,
      isOptional: !choices.every((one) => tagOf(one) === 'Tool'),
    },
  ];
}

/** A typed message says by its type what it carries (`kernel.md` §9.2). */
function typedMessage(catalog: Catalog, effect: EffectDef, limit: Limit | undefined): readonly Measure[] {
  const type = tryResolveType({ kind: 'ref', name: effect.paramsSchema }, catalog.scope);
  const value = effect.effectKind === 'fabric.send' || type?.kind !== 'record' ? undefined : type.fields.get('value');
  return value?.kind === 'ref' ? [{ name: 'schema', of: () => value.name, known: constant(value.name), limit }] : [];
}

function mcpToolMeasure(params: Known, limit: Limit | undefined): Measure {
  const servers = alternatives(knownMember(params, 'server', 'server'));
  const tools = alternatives(knownMember(params, 'tool', 'tool'));
  const known = union(
    servers.flatMap((server) =>
      tools.map((tool): Known => {
        const [a, b] = [textPattern(server), textPattern(tool)];
        const seam = `${a.parts.at(-1)}/${b.parts[0]}`;
        const parts = [...a.parts.slice(0, -1), seam, ...b.parts.slice(1)];
        return parts.length === 1 ? constant(parts[0]!) : { is: 'text', parts, holes: [...a.holes, ...b.holes] };
      }),
    ),
  );
  const of = (value: Value) => {
    const [server, tool] = [fieldOf(value, 'server'), fieldOf(value, 'tool')];
    return server?.kind === 'text' && tool?.kind === 'text' ? `${server.value}/${tool.value}` : undefined;
  };
  // `a/*` allows the tools of server `a`, not those of a server called `a/b`.
  const isLoose = servers.some((server) => textPattern(server).parts.some((part) => part.includes('/')));
  return { name: 'server/tool', of, known, limit, isLoose };
}
