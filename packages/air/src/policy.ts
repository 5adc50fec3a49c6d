import type { Grant, PolicyDef } from './node.ts';

/** Name that decisions carry in a world without a default policy (`kernel.md` §9.7). */
export const ALLOW_ALL_POLICY = 'allow_all';

export interface PolicyRuling {
  readonly decision: 'allow' | 'deny';
  /** The rule that decided; absent when none matched, or there is no policy. */
  readonly rule: number | undefined;
}

/** First rule whose given conditions all hold; no rule denies; no policy allows (`kernel.md` §9.7). */
export function judgePolicy(
  policy: PolicyDef | undefined,
  request: {
    readonly kind: string;
    readonly cap: string;
    readonly origin: { readonly origin_kind: string; readonly name: string };
  },
  grant: Pick<Grant, 'capType'>,
): PolicyRuling {
  if (policy === undefined) return { decision: 'allow', rule: undefined };
  const matches = (given: string | undefined, actual: string) => given === undefined || given === actual;
  const rule = policy.rules.findIndex(
    ({ when }) =>
      matches(when.effectKind, request.kind) &&
      matches(when.capName, request.cap) &&
      matches(when.capType, grant.capType) &&
      matches(when.originKind, request.origin.origin_kind) &&
      matches(when.originName, request.origin.name),
  );
  return rule < 0 ? { decision: 'deny', rule: undefined } : { decision: policy.rules[rule]!.decision, rule };
}
