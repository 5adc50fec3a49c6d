import { may, need, type Shape } from '@worldline/air';
import type { WorldLimits } from '@worldline/kernel';

/**
 * The keys of `worldline.host.json` (`host.md` §13): what each holds and what it is for. `config.ts` reads by this
 * description, and the JSON Schema for editors is made from it.
 */

const SAFE_MAX = BigInt(Number.MAX_SAFE_INTEGER);

function count(min = 0) {
  return { is: 'integer', min: BigInt(min), max: SAFE_MAX, plain: true } as const;
}

const flag = { is: 'flag' } as const;
const text = { is: 'text' } as const;
const someText = { is: 'text', notEmpty: true } as const;
const texts = { is: 'list', items: text } as const;
/** Nanoseconds since the Unix epoch: a JSON number is not exact enough. */
const instantNs = { is: 'text', pattern: /^\d{1,19}$/ } as const;

export const RETRY_SHAPE = {
  max: may(count(), 'Retries after the first attempt. Default 2.'),
  base_ms: may(count(), 'Wait before the first retry, in milliseconds. Default 250.'),
  factor: may(count(1), 'The wait grows by this factor with each retry. Default 2.'),
  cap_ms: may(count(), 'Longest wait, in milliseconds. Default 5000.'),
} as const satisfies Shape;

export const EFFECTS_SHAPE = {
  timeout_ms: may(count(1), 'How long an effect may take, in milliseconds. Default 30000.'),
  max_in_flight: may(count(1), 'How many effects are performed at the same time. Default 64.'),
  retry: may(
    { is: 'map', keys: 'text', values: { is: 'object', shape: RETRY_SHAPE } },
    'Retry policies by adapter id, such as `host.http`.',
  ),
} as const satisfies Shape;

export const CREDENTIAL_SHAPE = {
  grant: need(someText, 'a grant name', 'The grant whose requests carry the credential.'),
  origin: need(someText, 'an origin', 'The origin it is sent to, such as `https://api.example.com`, and to no other.'),
  header: need(someText, 'a header name', 'The header that carries it, such as `authorization`.'),
  prefix: may(text, 'Text before the value, such as `Bearer `.'),
  binding: need(someText, 'a binding', 'Where the value is found, as in `secrets.bindings`: `env:API_KEY`.'),
} as const satisfies Shape;

export const HTTP_SHAPE = {
  timeout_ms: may(count(1), 'How long a request may take, in milliseconds. Default 30000.'),
  max_body_bytes: may(count(), 'Largest body of a response, in bytes. Default 10485760.'),
  redirects: may(
    {
      is: 'choice',
      values: {
        manual: 'A redirect is the answer; the plan decides.',
        recheck: 'It is followed when the grant permits the new address too.',
      },
    },
    'What happens with redirects. Default `manual`.',
  ),
  allow_private: may(texts, 'Addresses in private networks that may be reached. Default: none.'),
  credentials: may({ is: 'list', items: { is: 'object', shape: CREDENTIAL_SHAPE } }, 'Headers added to requests.'),
  proxy: may(text, 'URL of a proxy for all requests.'),
  env_proxy: may(flag, 'Take the proxy from the environment. Default false.'),
  retry_statuses: may(
    { is: 'list', items: { is: 'integer', min: -SAFE_MAX, max: SAFE_MAX, plain: true } },
    'HTTP statuses after which a request is tried again. Default: none.',
  ),
} as const satisfies Shape;

export const APPROVAL_RULE_SHAPE = {
  subject_prefix: may(text, 'The rule is for subjects that begin so. Default: all.'),
  roles: may(texts, 'Roles that may decide.'),
} as const satisfies Shape;

export const WEBHOOK_SHAPE = {
  url: need(someText, 'an address', 'Where each pending approval is sent, as JSON: `https://desk.example/approvals`.'),
  secret: need(
    someText,
    'a place',
    'Where the key of the signature is found, as in `secrets.bindings`: `env:DESK_KEY` or `file:desk-key`.',
  ),
} as const satisfies Shape;

export const APPROVALS_SHAPE = {
  webhook: may({ is: 'object', shape: WEBHOOK_SHAPE }, 'Who is told of approvals. Default: nobody.'),
  rules: may({ is: 'list', items: { is: 'object', shape: APPROVAL_RULE_SHAPE } }, 'Who may decide which approvals.'),
  max_pending: may(count(), 'How many approvals may wait at the same time. Default 10000.'),
} as const satisfies Shape;

export const TLS_SHAPE = {
  cert: need(someText, 'a file', 'File of the certificate and its chain (PEM), relative to the world folder.'),
  key: need(someText, 'a file', 'File of its key (PEM).'),
} as const satisfies Shape;

export const SERVER_SHAPE = {
  enabled: may(flag, 'Listen on the network for whoever has a token. Default: true where `bind` is given.'),
  bind: may(
    { is: 'text', pattern: /^(?:[^:[\]\s]+|\[[0-9a-fA-F:.]+\]):\d{1,5}$/ },
    'Address and port to listen on; port 0 takes any free one. Default `127.0.0.1:7777`.',
  ),
  allowed_hosts: may(texts, 'Further names that the address may be called by (`Host`). Default: none.'),
  allowed_origins: may(texts, 'Web pages that may ask (`Origin`). Default: none.'),
  tls: may({ is: 'object', shape: TLS_SHAPE }, 'Certificate and key; without them it is plain HTTP.'),
  insecure_bind: may(flag, 'Listen without TLS on an address that other machines reach. Default false.'),
} as const satisfies Shape;

export const PEER_SHAPE = {
  url: may(someText, 'Address of the process that runs the peer, such as `https://lab.example:7777`.'),
  token: may(
    someText,
    'Where the token for it is found, as in `secrets.bindings`: `env:LAB_TOKEN` or `file:lab-token`. It goes with `url`.',
  ),
  path: may(
    someText,
    'Folder of a world of the same user on this machine, relative to this one. Messages of that world come under this name.',
  ),
} as const satisfies Shape;

export const FABRIC_SHAPE = {
  peers: may(
    { is: 'map', keys: 'text', values: { is: 'object', shape: PEER_SHAPE } },
    'Worlds that messages are sent to, by the name that plans use for them: `path`, or `url` and `token`.',
  ),
  max_bytes: may(count(1), 'Largest value of a message, sent or received, in bytes. Default 1048576.'),
} as const satisfies Shape;

export const FABRIC_ACCEPT_SHAPE = {
  from: need(
    someText,
    'a peer',
    'Name of the peer (`fabric.peers`, or the name of its token), or its address `air://…`.',
  ),
  schemas: may(texts, 'Schemas of its messages that are let in. Default: all.'),
  modes: may(
    {
      is: 'list',
      items: {
        is: 'choice',
        values: {
          event: 'The message becomes an event of its schema.',
          inbox: 'The message goes to the reducer of an inbox, wrapped as `sys/FabricMessage@1`.',
        },
      },
    },
    'How its messages may be delivered. Default: both.',
  ),
} as const satisfies Shape;

export const SECRETS_SHAPE = {
  bindings: may(
    { is: 'map', keys: 'text', values: text },
    'Where the host finds values: binding id → place, such as `"api": "env:API_KEY"`.',
  ),
  allow_placeholders: may(flag, 'Secrets without a value get a placeholder instead of an error. Default false.'),
  allow_echo: may(texts, 'Bindings whose value may appear in what the outside answers.'),
} as const satisfies Shape;

export const TRUSTED_KEY_SHAPE = {
  adapter_id: may(someText, 'The adapter that signs with the key.'),
  key_id: may(someText, 'Name of the key in receipts.'),
  alg: may(
    { is: 'choice', values: { ed25519: 'A public key of 32 bytes.', 'hmac-sha256': 'A shared key.' } },
    'Algorithm of the signature. Default `ed25519`.',
  ),
  key: need(someText, 'a key in hex or base64', 'The key, in hex or base64.'),
  kinds: may(texts, 'Effect kinds whose receipts it may sign.'),
  from_ns: may(instantNs, 'Valid from, in nanoseconds since 1970 as decimal text.'),
  until_ns: may(instantNs, 'Valid until, in nanoseconds since 1970 as decimal text.'),
} as const satisfies Shape;

export const RECEIPTS_SHAPE = {
  trusted_keys: may(
    { is: 'list', items: { is: 'object', shape: TRUSTED_KEY_SHAPE } },
    'Keys of executors elsewhere whose receipts are accepted. The world’s own key is always one.',
  ),
} as const satisfies Shape;

export const GOVERNANCE_SHAPE = {
  direct_apply: may(flag, 'The manifest may be replaced without a proposal. Default true.'),
} as const satisfies Shape;

export const STORE_SHAPE = {
  engine: may({ is: 'choice', values: { sqlite: 'One file in the world folder.' } }, 'The store. Default `sqlite`.'),
  dir: may(someText, 'Folder of the store, relative to the world folder. Default `.worldline/store`.'),
  url: may({ is: 'later' }, 'Address of a store elsewhere.'),
} as const satisfies Shape;

export const JOURNAL_SHAPE = {
  fsync: may(
    {
      is: 'choice',
      values: { group: 'Batches that are ready together are made durable together.', always: 'Each batch by itself.' },
    },
    'How batches are made durable. Default `group`.',
  ),
  max_group: may(count(1), 'Largest number of batches that are made durable together. Default 256.'),
} as const satisfies Shape;

export const SNAPSHOT_SHAPE = {
  every_entries: may(count(1), 'A snapshot after so many records. Default 1000.'),
  every_ms: may(count(1), 'A snapshot after so many milliseconds, when there are new records. Default 300000.'),
  keep: may(count(1), 'How many of the newest snapshots are kept to restore from. Default 3.'),
  verify: may(flag, 'Verify snapshots by replay, in the background. Default false.'),
} as const satisfies Shape;

export const SHUTDOWN_SHAPE = {
  grace_ms: may(count(), 'How long effects under way may take at the end, in milliseconds. Default 10000.'),
} as const satisfies Shape;

export const LIMITS_SHAPE = {
  max_event_bytes: may(count(), 'Largest event, in bytes; translated receipts are exempt.'),
  max_params_bytes: may(count(), 'Largest parameters of an effect, in bytes.'),
  max_receipt_bytes: may(count(), 'Largest payload of a receipt, in bytes.'),
  max_state_bytes: may(count(), 'Largest state of one cell of a reducer, in bytes.'),
  max_output_bytes: may(count(), 'Largest output of one call of a module, in bytes.'),
  max_events_per_step: may(count(), 'How many events one call of a reducer may raise.'),
  max_tasks_per_ingress: may(count(), 'How many tasks one input may lead to.'),
  max_entries_per_batch: may(count(), 'How many records one batch may have.'),
  max_ann_bytes: may(count(), 'Largest annotations of one call, in bytes.'),
  max_module_bytes: may(count(), 'Largest module, in bytes.'),
  max_memory_pages: may(count(), 'Largest memory of a WebAssembly module, in pages of 64 KiB.'),
  fuel_per_call: may(count(), 'Instructions that one call of a WebAssembly module may take.'),
  max_js_heap_bytes: may(count(), 'Largest heap of a JavaScript module, in bytes.'),
  js_interrupts_per_call: may(count(), 'Interrupt checks that one call of a JavaScript module may take.'),
  resource_retries: may(count(), 'Retries of a call that ran out of resources.'),
} as const satisfies { readonly [L in keyof WorldLimits]: Shape[string] };

export const WORLD_SHAPE = {
  clock: may(
    { is: 'choice', values: { wall: 'The machine’s clock.', virtual: 'A clock that moves only when it is told to.' } },
    'The clock of the world. Default `wall`.',
  ),
  engine_profile: may(someText, 'Name of the profile that modules run under.'),
  fabric_accept: may(
    { is: 'list', items: { is: 'object', shape: FABRIC_ACCEPT_SHAPE } },
    'Which worlds may send messages to this one. Default: none.',
  ),
  limits: may({ is: 'object', shape: LIMITS_SHAPE }, 'Limits on sizes and work.'),
  opaque_state_ok: may(flag, 'States of reducers may be bytes that do not fit their schema.'),
  receipt_verification: may(
    {
      is: 'choice',
      values: { required: 'Receipts without a valid signature are refused.', off: 'Signatures are not looked at.' },
    },
    'Whether signatures of receipts are verified. Default `required`.',
  ),
  require_policy: may(flag, 'The manifest must name a policy (V-608). Default false.'),
  logical_origin: may(
    { is: 'integer', min: 0n, max: 2n ** 64n - 1n },
    'Logical time at the world’s beginning, in nanoseconds; beyond 2^53 as decimal text. Default: the clock’s.',
  ),
} as const satisfies Shape;

export const ADAPTER_SHAPE = {
  module: need(someText, 'a package or path', 'Name of a package, or a path relative to the world folder.'),
  export: may(someText, 'Which export of it is the adapter. Default `default`.'),
  options: may({ is: 'json' }, 'What the adapter is given.'),
} as const satisfies Shape;

export const LOG_SHAPE = {
  level: may(
    {
      is: 'choice',
      values: {
        debug: 'Everything.',
        info: 'What happens.',
        warn: 'What may be wrong.',
        error: 'What is wrong.',
      },
    },
    'What is logged. Default `info`.',
  ),
  json: may(flag, 'One JSON object per line. Default false.'),
} as const satisfies Shape;

/** The whole file. */
export const HOST_CONFIG_SHAPE = {
  effects: may({ is: 'object', shape: EFFECTS_SHAPE }, 'How effects are performed.'),
  http: may({ is: 'object', shape: HTTP_SHAPE }, 'The adapter of `http.request`.'),
  approvals: may({ is: 'object', shape: APPROVALS_SHAPE }, 'Approvals by people.'),
  fabric: may({ is: 'object', shape: FABRIC_SHAPE }, 'Messages between worlds.'),
  server: may({ is: 'object', shape: SERVER_SHAPE }, 'The control API on a network address.'),
  secrets: may({ is: 'object', shape: SECRETS_SHAPE }, 'Where values of secrets are found.'),
  receipts: may({ is: 'object', shape: RECEIPTS_SHAPE }, 'Whose receipts are accepted.'),
  governance: may({ is: 'object', shape: GOVERNANCE_SHAPE }, 'How the manifest may be changed.'),
  store: may({ is: 'object', shape: STORE_SHAPE }, 'Where the world is kept.'),
  journal: may({ is: 'object', shape: JOURNAL_SHAPE }, 'How the journal is written.'),
  snapshot: may({ is: 'object', shape: SNAPSHOT_SHAPE }, 'When snapshots are made.'),
  shutdown: may({ is: 'object', shape: SHUTDOWN_SHAPE }, 'How the world is closed.'),
  world: may(
    { is: 'object', shape: WORLD_SHAPE },
    'What a new world gets. It is journaled, so a later change takes `worldline config apply`.',
  ),
  adapters: may({ is: 'list', items: { is: 'object', shape: ADAPTER_SHAPE } }, 'Adapters of your own.'),
  log: may({ is: 'object', shape: LOG_SHAPE }, 'What the host logs.'),
} as const satisfies Shape;
