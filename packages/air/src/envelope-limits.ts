import { isBelow as isPathBelow } from './enforcer-http.ts';
import { asciiLower, Fields, isKindOf } from './enforcer-request.ts';
import { isBelow as isFolderBelow } from './enforcer-workspace.ts';
import type { Catalog, Grant } from './node.ts';
import type { Type } from './type.ts';
import { normalizeCbor } from './value-cbor.ts';

/** A limit that a grant sets for one measure. */
export interface Limit {
  readonly permits: (text: string) => boolean;
  /** Every text that it permits; undefined when that is no finite list. */
  readonly values?: readonly string[] | undefined;
  readonly below?: readonly string[] | undefined;
  readonly max?: bigint | undefined;
  readonly code: string;
}

/** The limits that a grant's params set, as its enforcer reads them. */
export class Limits {
  readonly grant: Grant;
  readonly #fields: Fields | undefined;

  constructor(catalog: Catalog, grant: Grant) {
    this.grant = grant;
    const schema: Type | undefined = catalog.caps.get(grant.cap)?.def.schema;
    const read = schema === undefined ? undefined : normalizeCbor(grant.paramsCbor, schema, catalog.scope);
    this.#fields =
      read?.ok === true && schema !== undefined ? Fields.of(read.value.value, schema, catalog.scope) : undefined;
  }

  /** The enforcer is one of the runtime's and cannot read the grant, so it denies everything. */
  get areBad(): boolean {
    return this.grant.enforcer.startsWith('sys/CapEnforce') && this.#fields === undefined;
  }

  set(field: string, code: string, ignoreCase = false, kind: 'set' | 'list' = 'set'): Limit | undefined {
    const allowed = this.#fields?.texts(field, kind);
    if (allowed === undefined) return undefined;
    if (typeof allowed === 'symbol') return nothing(BAD);
    const fold = ignoreCase ? asciiLower : (one: string) => one;
    const folded = new Set([...allowed].map(fold));
    return { permits: (one) => folded.has(fold(one)), values: [...allowed], code };
  }

  ports(): Limit | undefined {
    const allowed = this.#fields?.nats('ports');
    if (allowed === undefined) return undefined;
    if (typeof allowed === 'symbol') return nothing(BAD);
    const texts = new Set([...allowed].map(String));
    return { permits: (one) => texts.has(one), values: [...texts], code: 'port_not_allowed' };
  }

  paths(): Limit | undefined {
    return this.#below('path_prefixes', 'set', isPathBelow);
  }

  folders(): Limit | undefined {
    return this.#below('path_prefixes', 'list', isFolderBelow);
  }

  #below(field: string, kind: 'set' | 'list', isBelow: (path: string, prefix: string) => boolean): Limit | undefined {
    const allowed = this.#fields?.texts(field, kind);
    if (allowed === undefined) return undefined;
    if (typeof allowed === 'symbol') return nothing(BAD);
    const below = [...allowed];
    if (below.length === 0) return nothing('path_not_allowed');
    return { permits: (one) => below.some((prefix) => isBelow(one, prefix)), below, code: 'path_not_allowed' };
  }

  max(field: string, code: string): Limit | undefined {
    const max = this.#fields?.nat(field);
    if (max === undefined) return undefined;
    if (typeof max === 'symbol') return nothing(BAD);
    return { permits: (one) => /^-?[0-9]+$/.test(one) && BigInt(one) <= max, max, code };
  }

  /** Tools of MCP servers: `<server>/<tool>` or `<server>/*`. */
  tools(): Limit | undefined {
    const allowed = this.#fields?.texts('tools');
    if (allowed === undefined) return undefined;
    if (typeof allowed === 'symbol') return nothing(BAD);
    if (allowed.size === 0) return nothing('tool_not_allowed');
    const below = [...allowed];
    const permits = (one: string) =>
      allowed.has(one) || below.some((each) => each.endsWith('/*') && one.startsWith(each.slice(0, -1)));
    return { permits, below, code: 'tool_not_allowed' };
  }

  /** `workspaces.md` §10.3: entries `state:<prefix>` and `cells:<prefix>`. */
  scope(kind: string): Limit | undefined {
    const scope = this.#fields?.text('scope');
    if (scope === undefined || scope === '') return undefined;
    if (typeof scope === 'symbol') return nothing(BAD);
    const entry = isKindOf(kind, 'introspect.list_cells') ? 'cells:' : 'state:';
    const prefixes = scope.split(',').flatMap((one) => (one.startsWith(entry) ? [one.slice(entry.length)] : []));
    const permits = (one: string) => prefixes.some((prefix) => one.startsWith(prefix));
    return prefixes.length === 0
      ? nothing('scope_not_allowed')
      : { permits, below: prefixes, code: 'scope_not_allowed' };
  }
}

const BAD = 'cap_params_invalid';

/** An empty list allows nothing, and a field of another type denies everything. */
function nothing(code: string): Limit {
  return { permits: () => false, values: [], code };
}
