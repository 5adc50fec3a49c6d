import { BAD_GRANT, BAD_PARAMS, type Denial, deny, type Request, WRONG_TYPE, wrongKind } from './enforcer-request.ts';

/** `sys/CapEnforceLlmBasic@1` (`builtins.md` §4.3). Tools offered by blob are the adapter's to check. */
export function enforceLlmBasic({ kind, grant, params }: Request): Denial | undefined {
  const providers = grant?.texts('providers');
  const models = grant?.texts('models');
  const tokensMax = grant?.nat('max_tokens');
  const tools = grant?.texts('tools_allow');
  if (
    grant === undefined ||
    providers === WRONG_TYPE ||
    models === WRONG_TYPE ||
    tokensMax === WRONG_TYPE ||
    tools === WRONG_TYPE
  ) {
    return BAD_GRANT;
  }
  if (params === undefined) return BAD_PARAMS;
  if (kind !== 'llm.generate') return wrongKind(kind);
  const provider = params.text('provider');
  const model = params.text('model');
  const tokens = params.nat('max_tokens');
  const choice = params.variant('tool_choice');
  if (
    typeof provider !== 'string' ||
    typeof model !== 'string' ||
    typeof tokens !== 'bigint' ||
    choice === WRONG_TYPE
  ) {
    return BAD_PARAMS;
  }

  if (providers !== undefined && !providers.has(provider)) {
    return deny('provider_not_allowed', 'provider not allowed', provider);
  }
  if (models !== undefined && !models.has(model)) return deny('model_not_allowed', 'model not allowed', model);
  if (tokensMax !== undefined && tokens > tokensMax) {
    return deny('max_tokens_exceeded', 'more tokens than the grant allows', `${tokens} > ${tokensMax}`);
  }
  if (choice?.tag === 'Tool' && tools !== undefined) {
    const name = choice.value.kind === 'record' ? choice.value.fields.get('name') : undefined;
    if (name?.kind !== 'text') return BAD_PARAMS;
    if (!tools.has(name.value)) return deny('tool_not_allowed', 'tool not allowed', name.value);
  }
  return undefined;
}
