/** What helps against the errors that the host and its own adapters answer with (`host.md` §3, §5). */

export interface FailedEffect {
  readonly kind: string;
  /** Destination of a message. */
  readonly world?: string | undefined;
  readonly schema?: string | undefined;
}

type Hint = (effect: FailedEffect) => string;

const destination = ({ world }: FailedEffect): string => world ?? 'the destination';

const HINTS: Readonly<Record<string, Hint>> = {
  'fabric.peer_unknown': (e) => `add ${destination(e)} to "fabric.peers" of worldline.host.json`,
  'fabric.peer_unreachable': (e) =>
    `see whether ${destination(e)} is where "fabric.peers" of worldline.host.json says; the message can be sent again, it arrives once`,
  'fabric.refused': (e) =>
    `${destination(e)} has to name this world, ${e.schema === undefined ? 'its schemas' : `schema ${e.schema}`} and the mode in its "world.fabric_accept"`,
  'fabric.schema_mismatch': (e) =>
    `both worlds need the same definition of ${e.schema ?? 'the schema'}; import it from one pack, or push it to ${destination(e)}`,
  'fabric.no_inbox': (e) =>
    `${destination(e)} needs a route in "routing.inboxes" for messages of this world; or send with mode "event"`,
  'fabric.too_large': () => 'send less, or raise "fabric.max_bytes" of worldline.host.json and of the grant',
  'http.dns': () => 'see whether the name of the host is right and can be looked up here',
  'http.connect': () => 'see whether the service runs and can be reached from here; it may work later',
  'http.reset': () => 'the service broke the connection; it may work later',
  'http.tls': () => 'the certificate of the service is not trusted here',
  'http.address_denied': () =>
    'the address is a private one; "http.allow_private" of worldline.host.json allows hosts by name',
  'http.redirect_denied': () => 'ask for the address that the service redirects to, and let the grant cover it',
  'http.body_missing': () => 'put the body into the store before: "worldline blob put"',
  'http.response_too_large': () => 'ask for less, or raise "http.max_body_bytes" of worldline.host.json',
  'blob.missing': () => 'put the blob into the store: "worldline blob put"',
  'approval.too_many': () => 'decide some of the approvals that are pending: "worldline approvals ls"',
  'approval.subject_too_long': () => 'give the approval a subject of at most 512 bytes',
  'secret.leak': (e) =>
    `the answer held a secret and was not taken; if the peer of ${e.kind} is known to echo what it gets, name the kind in "secrets.allow_echo"`,
  'adapter.bad_payload': (e) => `the adapter of ${e.kind} has to answer with what the receipt schema of the kind says`,
  'adapter.exception': (e) => `the adapter of ${e.kind} threw; its log says where`,
  'adapter.payload_too_large': () => 'let the adapter store large content as a blob and answer with its hash',
};

/** @returns undefined for a code that only the author of the adapter can explain. */
export function failureHint(code: string, effect: FailedEffect): string | undefined {
  return Object.hasOwn(HINTS, code) ? HINTS[code]!(effect) : undefined;
}
