import { readConstant } from './expr-parse.ts';
import { emptyObject, isJsonObject, type Json, type JsonObject, memberNames } from './json.ts';
import { literalToJson, mapEntry, tagged } from './literal.ts';
import { Problems } from './value-failure.ts';

/** A tagged tree as written, minus comments, integers as integers (`definitions.md` §5). The tree is known to be well formed. */
export function keep(json: Json, options: { readonly bareVariants?: boolean } = {}): Json {
  if (!isJsonObject(json)) return json;
  const inner = (part: Json | undefined): Json => keep(part as Json, options);
  if (Object.hasOwn(json, 'op')) {
    const operation = emptyObject();
    operation['op'] = json['op'] as Json;
    operation['args'] = (json['args'] as readonly Json[]).map(inner);
    return operation;
  }
  if (Object.hasOwn(json, 'tag')) return keepTagBody(json, inner);
  const tag = memberNames(json)[0] as string;
  const body = json[tag] as Json;
  switch (tag) {
    case 'null':
      return tagged('null', emptyObject());
    case 'int':
    case 'nat':
    case 'time_ns':
    case 'duration_ns': {
      const value = readConstant(tag, body, new Problems());
      return value === undefined ? json : literalToJson(value);
    }
    case 'list':
    case 'set':
      return tagged(tag, (body as readonly Json[]).map(inner));
    case 'map':
      return tagged(
        tag,
        (body as readonly JsonObject[]).map((entry) => mapEntry(inner(entry['key']), inner(entry['value']))),
      );
    case 'record': {
      const fields = emptyObject();
      for (const name of memberNames(body as JsonObject)) fields[name] = inner((body as JsonObject)[name]);
      return tagged(tag, fields);
    }
    case 'variant': {
      const variant = keepTagBody(body as JsonObject, inner);
      return options.bareVariants === true ? variant : tagged(tag, variant);
    }
    default:
      return tagged(tag, body);
  }
}

function keepTagBody(json: JsonObject, inner: (part: Json | undefined) => Json): Json {
  const body = emptyObject();
  body['tag'] = json['tag'] as Json;
  if (Object.hasOwn(json, 'value')) body['value'] = inner(json['value']);
  return body;
}
