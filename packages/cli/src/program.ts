import { resolve } from 'node:path';
import { Argument, Command, Help, InvalidArgumentError, Option } from 'commander';
import type { Context, GlobalFlags } from './context.ts';
import { planQuestions } from './plan-questions.ts';
import { version } from './version.ts';

/**
 * The commands and their flags (`host.md` §12.2). Each action loads its own module, so that `--help` and a mistyped flag
 * cost nothing.
 */

export type Run = (action: (ctx: Context) => Promise<void>) => Promise<void>;

/** `worldline` with its global flags, and no command yet. */
function rootCommand(): Command {
  const root = new Command('worldline');

  root
    .description(
      'Run agent workflows whose plans are data: checked before they run, journaled, replayed byte for byte.',
    )
    .version(version(), '--version', 'print the version')
    .helpOption('-h, --help', 'explain a command')
    .helpCommand('help [command]', 'explain a command')
    .configureHelp({ optionDescription: describe })
    .addHelpText('afterAll', ({ command }) => (command === root ? '' : footer(command)))
    .addOption(
      new Option('-w, --world <dir>', 'world folder (default: the nearest one upwards)').env('WORLDLINE_WORLD'),
    )
    .addOption(
      new Option(
        '--mode <mode>',
        'auto: use the running world, else open it; daemon: only the running one; batch: only open it',
      )
        .choices(['auto', 'daemon', 'batch'])
        .default('auto')
        .env('WORLDLINE_MODE'),
    )
    .addOption(
      new Option('--air <dir>', 'folder with the definitions (default: what worldline.json says, else air)').env(
        'WORLDLINE_AIR',
      ),
    )
    .addOption(
      new Option(
        '--store <dir>',
        'folder of the store (default: what worldline.host.json says, else in .worldline)',
      ).env('WORLDLINE_STORE'),
    )
    .addOption(new Option('--control <path>', 'control socket of the running world').env('WORLDLINE_CONTROL'))
    .option('--json', 'print one JSON object: { data, meta } or { error }')
    .option('--pretty', 'the same, indented')
    .option('--no-meta', 'leave out "meta"')
    .option('--quiet', 'print no notices')
    .addOption(
      new Option('--timeout-ms <n>', 'longest wait for an answer')
        .argParser(count('milliseconds'))
        .default(30_000)
        .env('WORLDLINE_TIMEOUT_MS'),
    )
    .addHelpText(
      'after',
      `
Values are JSON, @file, or @- for standard input. Most answers are tables; --json gives the same as data.
The options above go with every command, before or after its name. Each command explains itself: worldline plans start --help

A first world, in a minute:
  worldline init hello && cd hello
  worldline check
  worldline event send hello/Asked@1 '{"name": "Ada"}'
  worldline plans ls
  worldline replay --verify

Exit codes: 0 ok, 1 failure, 2 usage, 3 not running, 4 not found, 5 refused, 6 conflict, 7 check failed, 8 timeout, 130 interrupted.`,
    );

  return root;
}

/** `worldline check` alone, for `check-program.ts`: describing all the others takes longer than checking a small folder. */
export function checkOnly(start: (flags: GlobalFlags) => Run): Command {
  const root = rootCommand();
  checkCommand(root.command('check'), (action) => start(globalFlags(root))(action));
  return root;
}

/** @param start - turns global flags into a context and runs the action with it. */
export function program(start: (flags: GlobalFlags) => Run): Command {
  const root = rootCommand();
  const run = (action: (ctx: Context) => Promise<void>) => start(globalFlags(root))(action);

  root
    .command('init')
    .summary('make a world folder from a template')
    .description('Makes a world folder from a template. Files that are there already are left alone.')
    .argument('[path]', 'folder to make (default: the current one)')
    .option('--template <name>', 'minimal or http', 'minimal')
    .option('--force', 'overwrite files of the template that are there already')
    .option('--editor', 'only what editors need: JSON Schemas and settings for VS Code')
    .option('--fresh', 'delete the journal and all state of the world first')
    .option('-y, --yes', 'do not ask before deleting')
    .addHelpText('after', examples('init hello', 'init pages --template http', 'init --editor', 'init --fresh --yes'))
    .action(async (path: string | undefined, flags) => {
      expectOneWorld(root, path);
      await run(async (ctx) => (await import('./command/init.ts')).init(ctx, path, flags));
    });

  checkCommand(root.command('check'), run);

  root
    .command('push')
    .summary("make the folder's definitions those of the world")
    .description(
      'Checks the definitions of the folder and makes them those of the world. Runs under way end as begun; what starts afterwards is new. Authority is live: grants and policy hold for everybody at once. Without a world yet, makes it.',
    )
    .option('--map <file>', 'sync file (default: worldline.json of the world)')
    .option('--dry-run', 'show what would change, and write nothing')
    .option('--prune-defs', 'remove definitions that only the world has')
    .option('--add-refs', 'list what listed definitions need of imports, and say what was added')
    .addHelpText('after', examples('push --dry-run', 'push', 'push --add-refs', 'push --prune-defs --json'))
    .action(async (flags) => run(async (ctx) => (await import('./command/push.ts')).push(ctx, flags)));

  root
    .command('pull')
    .summary("make the world's definitions those of the folder")
    .description(
      'Writes the definitions of the world into the folder. What is the same stays as it was written, comments included. Changes that were never pushed are not overwritten.',
    )
    .option('--map <file>', 'sync file (default: worldline.json of the world)')
    .option('--dry-run', 'list the files that would change, and write nothing')
    .option('--prune', 'remove definitions that only the folder has')
    .option('--with-imports', 'write definitions that imports have as well')
    .option('--check-clean', 'write nothing; exit 7 when folder and world differ')
    .option('--force', 'overwrite changes that were never pushed')
    .addHelpText('after', examples('pull --dry-run', 'pull', 'pull --check-clean --prune'))
    .action(async (flags) => run(async (ctx) => (await import('./command/pull.ts')).pull(ctx, flags)));

  const sync = group(root, 'sync', 'worldline.json and what it imports');
  sync
    .command('lock')
    .summary('accept the imports as they are now')
    .description(
      'Writes into worldline.json what each import holds, so that a change of it is noticed: a warning here, an error in CI (CI or WORLDLINE_IMPORT_LOCK_STRICT set). Nothing else in the file changes.',
    )
    .option('--map <file>', 'sync file (default: worldline.json of the world)')
    .option('--check', 'write nothing; exit 7 when a lock is missing or different')
    .option('--update <package|path>', 'this import only')
    .addHelpText('after', examples('sync lock', 'sync lock --check', 'sync lock --update @acme/agent-defs'))
    .action(async (flags) => run(async (ctx) => (await import('./command/sync-lock.ts')).syncLock(ctx, flags)));

  const manifest = group(root, 'manifest', 'what the world lists, grants and routes');
  manifest
    .command('get')
    .summary('show the manifest')
    .description('Shows the canonical manifest of the world, now or at a height of its journal.')
    .option('--consistency <c>', 'head, at_least:<height> or exact:<height>', 'head')
    .option('--raw', 'write the canonical bytes to standard output')
    .addHelpText('after', examples('manifest get', 'manifest get --consistency exact:17 --json'))
    .action(async (flags) => run(async (ctx) => (await import('./command/manifest.ts')).getManifest(ctx, flags)));

  root
    .command('run')
    .summary('run the world until it is stopped')
    .description(
      'Runs the world: applies what arrives, performs effects, fires timers. The first run in a folder creates the world from its definitions. Ctrl-C ends it cleanly.',
    )
    .option('--batch', 'stop when nothing can be done now; what it still waits for is reported')
    .option('--wait', 'with --batch: stay until every plan has ended')
    .option('--strict-adapters', 'refuse to start when an effect kind has no adapter')
    .option('--strict-secrets', 'refuse to start when a declared secret has no value')
    .addOption(
      new Option('--log-level <level>', 'debug, info, warn or error').choices(['debug', 'info', 'warn', 'error']),
    )
    .option('--log-json', 'one JSON object per log line')
    .addHelpText('after', examples('run', 'run --batch', 'run --batch --wait --timeout-ms 60000'))
    .action(async (flags) => run(async (ctx) => (await import('./command/run.ts')).run(ctx, flags)));

  root
    .command('status')
    .summary('what this world is and what it waits for')
    .description('Shows the world, its manifest and height, who runs it, and what it waits for.')
    .addHelpText('after', examples('status', 'status --json'))
    .action(async () => run(async (ctx) => (await import('./command/status.ts')).status(ctx)));

  root
    .command('stop')
    .summary('end the running world')
    .description(
      'Asks the process that runs this world to end, and waits until it is gone. Effects in flight get a while to finish; what is left of them goes on at the next start.',
    )
    .option(
      '--grace-ms <n>',
      'how long effects in flight may take; 0 does not wait (default: shutdown.grace_ms of worldline.host.json, 10000)',
      count('milliseconds'),
    )
    .addHelpText('after', examples('stop', 'stop --grace-ms 0'))
    .action(async (flags) => run(async (ctx) => (await import('./command/stop.ts')).stopWorld(ctx, flags)));

  root
    .command('doctor')
    .summary('what is wrong with this world, and what helps')
    .description(
      'Looks at everything around a world: machine, folder, store, journal, keys, process, effects. Says what is wrong and which command helps. Changes nothing, and works on a world that cannot be opened. Exit 7 when there is a problem.',
    )
    .addHelpText('after', examples('doctor', 'doctor --json'))
    .action(async () => run(async (ctx) => (await import('./command/doctor.ts')).doctor(ctx)));

  root
    .command('gates')
    .summary('prove that a world keeps its promises, whatever comes')
    .description(
      'Drives the plans of the folder through everything that goes wrong between machines, and proves by replay that nothing was lost, mixed up or done twice. Effects are answered by scripted receipts: nothing leaves, and the world itself is not opened. Exit 7 when a gate fails.',
    )
    .argument('[world]', 'world folder, as --world')
    .option('--only <gates>', 'only these gates, separated by commas')
    .option('--seed <n>', 'what chance begins with; the same seed does the same (default: 1)', count('a seed'))
    .option(
      '--count <n>',
      'concurrent requests of cross-talk (default 1000) and seeds of late-losers (default 10000)',
      count('requests and seeds'),
    )
    .option('--gates <file>', 'how to drive the world (default: gates.json of the world, if there is one)')
    .option('--print', 'print what the world would be driven with, in the form of gates.json, and run nothing')
    .addHelpText(
      'after',
      `
Gates:
  replay       live = replayed from genesis = restored from every baseline, byte for byte
  duplicates   an input that comes twice starts one run, sends one effect and settles once
  cross-talk   many requests at once, answers shuffled, doubled, late, with wrong ids: each gets its own
  late-losers  in a race the first delivery in the journal wins; what comes later changes nothing
  denials      what is denied or breaks an invariant ends as an error that resolves, and the request is settled
  fan-out      a barrier opens after the last child, whatever became of each
  crash        kill -9 of a real process while it waits: every wait is there again, and the run ends as a quiet one

What requests, receipts and responses look like is derived from the definitions. Where that is not enough, gates.json in the
world folder says it; --print is a good beginning. A gate that has nothing to try says "not applicable" and why.
${examples('gates', 'gates ./shop', 'gates --only crash,replay', 'gates --count 50 --seed 7', 'gates --print > gates.json', 'gates --json')}`,
    )
    .action(async (world: string | undefined, flags) => {
      expectOneWorld(root, world);
      const global = globalFlags(root);
      const ofWorld = start(world === undefined ? global : { ...global, world });
      await ofWorld(async (ctx) => (await import('./command/gates.ts')).gates(ctx, flags));
    });

  group(root, 'snapshot', 'the state as a tree in the store, from which a restart begins')
    .command('create')
    .summary('take a snapshot of the state at the head')
    .description(
      'Writes what changed since the last snapshot, and makes the new one the baseline: the next start begins there and replays nothing before it. When nothing has changed, it is the last snapshot that is shown.',
    )
    .addHelpText('after', examples('snapshot create', 'snapshot create --json'))
    .action(async () => run(async (ctx) => (await import('./command/snapshot.ts')).createSnapshot(ctx)));

  const event = group(root, 'event', 'what happens outside, told to the world');
  event
    .command('send')
    .summary('publish an event')
    .description(
      'Publishes an event of a schema that the manifest lists. Triggers and waiting plans take it from there.',
    )
    .argument('<schema>', 'name of the schema, demo/Asked@1')
    .argument('<value>', 'its value: JSON, @file or @-')
    .addOption(new Option('--key <text>', 'routing key, a text').conflicts(['keyJson', 'keyB64']))
    .addOption(new Option('--key-json <json>', 'routing key, as JSON').conflicts(['keyB64']))
    .option('--key-b64 <base64>', 'routing key, canonical CBOR in base64')
    .option('--idempotency-key <key>', 'a repeat with the same key and value is one event')
    .addOption(
      new Option(
        '--wait <until>',
        'accepted: enqueued; applied: its records are durable; settled: so is what followed at once',
      )
        .choices(['accepted', 'applied', 'settled'])
        .default('settled'),
    )
    .addHelpText(
      'after',
      examples(
        `event send hello/Asked@1 '{"name": "Ada"}'`,
        'event send hello/Asked@1 @asked.json --idempotency-key order-17',
        'event send hello/Asked@1 @- < asked.json',
      ),
    )
    .action(async (schema: string, value: string, flags) =>
      run(async (ctx) => (await import('./command/event.ts')).sendEvent(ctx, schema, value, flags)),
    );

  const plans = group(root, 'plans', 'plans: their runs, and what they can do');
  plans
    .command('start')
    .summary('start a plan')
    .description('Starts a plan with an input of its input schema.')
    .argument('<plan>', 'name of the plan, demo/greet@1')
    .argument('<input>', 'its input: JSON, @file or @-')
    .option('--correlation <json>', 'text or number that names this run')
    .option('--bind <json>', 'values of locals: {"name": value, …}')
    .option('--idempotency-key <key>', 'a repeat with the same key and input is one start')
    .addOption(
      new Option('--wait [until]', 'accepted, applied, settled, or ended: the run is over; --wait alone means ended')
        .choices(['accepted', 'applied', 'settled', 'ended'])
        .preset('ended')
        .default('settled'),
    )
    .addHelpText(
      'after',
      examples(
        `plans start hello/greet@1 '{"name": "Ada"}'`,
        `plans start hello/greet@1 @input.json --correlation '"r-17"' --wait`,
      ),
    )
    .action(async (plan: string, input: string, flags) =>
      run(async (ctx) => (await import('./command/plans.ts')).startPlan(ctx, plan, input, flags)),
    );
  plans
    .command('ls')
    .summary('list runs, newest first')
    .description('Lists runs of plans, newest first, with what the live ones wait for.')
    .option('--live', 'only runs that have not ended')
    .option('--plan <name>', 'only runs of this plan')
    .option('--limit <n>', 'at most so many', count('runs'), 50)
    .addHelpText('after', examples('plans ls', 'plans ls --live --plan hello/greet@1'))
    .action(async (flags) => run(async (ctx) => (await import('./command/plans.ts')).listPlans(ctx, flags)));
  plans
    .command('get')
    .summary('show one run')
    .description('Shows one run of a plan: its steps while it lives, its result when it has ended.')
    .argument('<id>', 'number of the run, as "plans ls" shows it', planId)
    .addHelpText('after', examples('plans get 3', 'plans get 3 --json'))
    .action(async (id: number) => run(async (ctx) => (await import('./command/plans.ts')).getPlan(ctx, id)));
  plans
    .command('cancel')
    .summary('end a live run')
    .description('Ends a live run with the error "cancelled". Requests already sent are not taken back.')
    .argument('<id>', 'number of the run, as "plans ls" shows it', planId)
    .option('--reason <text>', 'why, for the journal', '')
    .option('-y, --yes', 'do not ask')
    .addHelpText('after', examples('plans cancel 3 --reason "wrong input" --yes'))
    .action(async (id: number, flags) =>
      run(async (ctx) => (await import('./command/plans.ts')).cancelPlan(ctx, id, flags)),
    );
  planQuestions(plans, run);
  checkCommand(plans.command('check'), run, 'The same as "worldline check": checks');
  plans
    .command('scaffold')
    .summary('begin to use an imported plan pack')
    .description(
      'Writes references, trigger, grants and policy rules for a plan of an imported pack into a file that is not loaded, and for composable-core a template of an adapter plan. Grants allow as little as they can say. Edits no file that exists.',
    )
    .requiredOption('--pack <name>', 'name of the pack')
    .requiredOption(
      '--profile <profile>',
      'turnkey (a trigger starts its entry plan) or composable-core (your plan starts its core plan)',
    )
    .option('--plan <name>', 'the plan, when the pack has several')
    .option('--trigger-event <schema>', 'turnkey: event of the trigger (default: the input of the plan)')
    .option('--namespace <ns>', 'namespace of what is generated (default: app)')
    .option('--out <file>', 'file to write (default: <air>/scaffolds/plan-pack-<pack>-<profile>.json)')
    .option('--dry-run', 'print it, and write nothing')
    .option('--force', 'overwrite')
    .option('--map <file>', 'sync file (default: worldline.json of the world)')
    .addHelpText(
      'after',
      examples(
        'plans scaffold --pack deadline-race --profile turnkey --dry-run',
        'plans scaffold --pack approval-gate --profile composable-core --namespace shop',
      ),
    )
    .action(async (flags) =>
      run(async (ctx) => (await import('./command/plans-scaffold.ts')).plansScaffold(ctx, flags)),
    );

  const approvals = group(root, 'approvals', 'decisions that plans ask people for');
  approvals
    .command('ls')
    .summary('list pending approvals')
    .description('Lists pending approvals, oldest first.')
    .option('--all', 'also the newest 1000 decided ones')
    .addHelpText('after', examples('approvals ls', 'approvals ls --all --json'))
    .action(async (flags) => run(async (ctx) => (await import('./command/approvals.ts')).listApprovals(ctx, flags)));
  approvals
    .command('get')
    .summary('show one approval')
    .description('Shows one approval with the material it refers to.')
    .argument('<intent>', 'intent hash, as "approvals ls" shows it; its beginning is enough')
    .addHelpText('after', examples('approvals get sha256:3f2a…'))
    .action(async (intent: string) =>
      run(async (ctx) => (await import('./command/approvals.ts')).getApproval(ctx, intent)),
    );
  approvals
    .command('decide')
    .summary('approve or deny')
    .description('Decides a pending approval. The first decision counts.')
    .argument('<intent>', 'intent hash, as "approvals ls" shows it; its beginning is enough')
    .addArgument(new Argument('<decision>', 'approve or deny').choices(['approve', 'deny']))
    .option('--rationale <text>', 'why, for the plan and the journal')
    .addHelpText(
      'after',
      examples(
        'approvals decide sha256:3f2a… approve',
        'approvals decide sha256:3f2a… deny --rationale "tests are red"',
      ),
    )
    .action(async (intent: string, decision: 'approve' | 'deny', flags) =>
      run(async (ctx) => (await import('./command/approvals.ts')).decideApproval(ctx, intent, decision, flags)),
    );

  effectCommands(root, run);
  configCommands(root, run);
  tokenCommands(root, run);

  const journal = group(root, 'journal', 'everything that happened');
  journal
    .command('head')
    .summary('height of the journal')
    .description('Shows the height of the journal: the sequence number the next record will get.')
    .addHelpText('after', examples('journal head'))
    .action(async () => run(async (ctx) => (await import('./command/journal.ts')).journalHead(ctx)));
  journal
    .command('tail')
    .summary('show records')
    .description('Shows records in order; by default the last 200.')
    .option('--from <seq>', 'first record', count('a sequence number'))
    .option('--limit <n>', 'at most so many records', count('records'), 200)
    .option('--kinds <list>', 'only these kinds, separated by commas; event, intent and receipt are short forms')
    .option('--follow', 'go on as records appear, until Ctrl-C')
    .option('--out <file>', 'write to this file instead')
    .addHelpText(
      'after',
      examples(
        'journal tail',
        'journal tail --kinds plan_started,plan_ended --limit 20',
        'journal tail --kinds event --follow',
        'journal tail --from 0 --limit 1000 --json --out journal.json',
      ),
    )
    .action(async (flags) => run(async (ctx) => (await import('./command/journal.ts')).journalTail(ctx, flags)));
  journal
    .command('verify')
    .summary('check framing, chain and references')
    .description('Checks every batch: framing, hash chain, and that everything it refers to is in the store.')
    .option('--signatures', 'also check the signatures of receipts and checkpoints')
    .addHelpText('after', examples('journal verify', 'journal verify --signatures'))
    .action(async (flags) => run(async (ctx) => (await import('./command/journal.ts')).journalVerify(ctx, flags)));

  journal
    .command('export')
    .summary('write records to a file')
    .description(
      'Writes whole batches as they are, with their chain and checkpoints, to a file that "trace-summary --journal" reads anywhere.',
    )
    .argument('<file>', 'file to write; it has its name once it is whole')
    .option('--from <seq>', 'from the batch that holds this record', count('a sequence number'))
    .option('--to <seq>', 'to the batch that holds this record', count('a sequence number'))
    .addHelpText('after', examples('journal export desk.wlj', 'journal export part.wlj --from 1000 --to 1999'))
    .action(async (file: string, flags) =>
      run(async (ctx) => (await import('./command/journal.ts')).journalExport(ctx, file, flags)),
    );

  root
    .command('replay')
    .summary('rebuild every record and compare')
    .description(
      'Rebuilds the state from the active baseline (or from genesis) and, with --verify, compares every record and every byte of state.',
    )
    .option('--verify', 'compare records, and the state at every snapshot and at head')
    .option('--from-genesis', 'begin with the first record instead of the active baseline')
    .option('--to <height>', 'stop there', count('a height'))
    .addHelpText('after', examples('replay --verify', 'replay --verify --from-genesis', 'replay --to 1000'))
    .action(async (flags) => run(async (ctx) => (await import('./command/replay.ts')).replay(ctx, flags)));

  root
    .command('trace-summary')
    .summary('how plans ran: counts, errors, durations')
    .description(
      'Summarises runs, errors, effects and durations from the journal. Ends with 7 when a threshold of --check does not hold.',
    )
    .option('--from <seq>', 'first record', count('a sequence number'))
    .option('--to <seq>', 'last record', count('a sequence number'))
    .option('--plan <name>', 'only this plan')
    .option('--instances', 'list every run')
    .option('--correlations', 'index runs, events and effects by correlation')
    .option('--correlation <json>', 'only this correlation, and its flow drawn: \'"r-17"\'')
    .option(
      '--journal <file>',
      'read this instead: a file of "journal export", or the folder of a world (repeatable: one view over all of them)',
      (file: string, before: string[]) => [...before, file],
      [],
    )
    .option(
      '--label <name>',
      'a name for the journal, shown in the summary (repeatable, in the order of the journals)',
      (label: string, before: string[]) => [...before, label],
      [],
    )
    .option(
      '--check <file>',
      'thresholds as JSON, for example {"totals.runs.live": {"max": 0}, "totals.errors.*": {"max": 0, "except": {"policy_denied": 1}}}',
    )
    .addOption(new Option('--format <format>', 'text, or md for Markdown').choices(['text', 'md']))
    .option(
      '--out <file>',
      'also write it to this file: as JSON, as Markdown to *.md, as table to *.txt (repeatable)',
      (file: string, before: string[]) => [...before, file],
      [],
    )
    .addHelpText(
      'after',
      examples(
        'trace-summary',
        'trace-summary --plan hello/greet@1 --instances --json',
        'trace-summary --check thresholds.json --out summary.json --out summary.md',
        `trace-summary --journal ../desk --journal lab.wlj --correlation '"r-17"'`,
      ),
    )
    .action(async (flags) => run(async (ctx) => (await import('./command/trace-summary.ts')).traceSummary(ctx, flags)));

  traceCommands(root, run);

  const defs = group(root, 'defs', 'definitions of the live manifest');
  defs
    .command('ls')
    .summary('list definitions')
    .description('Lists the definitions of the live manifest by name.')
    .option(
      '--kind <kind>',
      'only this kind: schema, plan, effect, cap, policy, module, secret (repeatable)',
      (kind: string, before: string[]) => [...before, kind],
      [],
    )
    .option('--prefix <text>', 'only names that begin so')
    .addHelpText('after', examples('defs ls', 'defs ls --kind plan --kind schema --prefix hello/'))
    .action(async (flags) => run(async (ctx) => (await import('./command/defs.ts')).listDefs(ctx, flags)));
  defs
    .command('get')
    .summary('show one definition')
    .description('Shows the canonical node of one definition.')
    .argument('<name>', 'name, demo/greet@1')
    .option(
      '--kind <kind>',
      'when several kinds have a definition of this name',
      (kind: string, before: string[]) => [...before, kind],
      [],
    )
    .addHelpText('after', examples('defs get hello/greet@1', 'defs get sys/http.request@1 --kind effect'))
    .action(async (name: string, flags) =>
      run(async (ctx) => (await import('./command/defs.ts')).getDef(ctx, name, flags)),
    );

  const blob = group(root, 'blob', 'bytes by their hash');
  blob
    .command('put')
    .summary('store bytes')
    .description('Stores bytes and prints their hash, which plans pass on as a reference.')
    .argument('<source>', '@file or @-')
    .addHelpText('after', examples('blob put @notes.json', 'blob put @- < notes.json'))
    .action(async (source: string) => run(async (ctx) => (await import('./command/blob.ts')).putBlob(ctx, source)));
  blob
    .command('get')
    .summary('fetch bytes')
    .description('Fetches the bytes of a hash. Without --out or --raw only the size is printed.')
    .argument('<hash>', 'sha256:…')
    .option('--out <file>', 'write the bytes to this file')
    .option('--raw', 'write the bytes to standard output')
    .addHelpText('after', examples('blob get sha256:3f2a… --out notes.json', 'blob get sha256:3f2a… --raw'))
    .action(async (hash: string, flags) =>
      run(async (ctx) => (await import('./command/blob.ts')).getBlob(ctx, hash, flags)),
    );
  blob
    .command('stat')
    .summary('size of stored bytes')
    .description('Tells whether bytes with this hash are stored, and their size.')
    .argument('<hash>', 'sha256:…')
    .addHelpText('after', examples('blob stat sha256:3f2a…'))
    .action(async (hash: string) => run(async (ctx) => (await import('./command/blob.ts')).statBlob(ctx, hash)));

  return root;
}

type Act = (action: (ctx: Context) => Promise<void>) => Promise<void>;

function effectCommands(root: Command, run: Act): void {
  const effects = group(root, 'effects', 'what the world wants from outside');
  effects
    .command('ls')
    .summary('list pending effects')
    .description(
      'Lists the effects that have no receipt yet, oldest first: open ones wait for their turn, deferred ones for their time or for a decision.',
    )
    .option('--kind <kind>', 'only this effect kind, http.request')
    .addOption(new Option('--status <status>', 'only these').choices(['open', 'in_flight', 'deferred']))
    .addHelpText('after', examples('effects ls', 'effects ls --kind http.request --status open --json'))
    .action(async (flags) => run(async (ctx) => (await import('./command/effects.ts')).listEffects(ctx, flags)));
  effects
    .command('get')
    .summary('show one effect')
    .description('Shows one effect with its params, and its receipt when it has one.')
    .argument('<intent>', 'intent hash, as "effects ls" shows it; its beginning is enough')
    .addHelpText('after', examples('effects get sha256:3f2a…'))
    .action(async (intent: string) =>
      run(async (ctx) => (await import('./command/effects.ts')).getEffect(ctx, intent)),
    );
  effects
    .command('retry')
    .summary('perform an open effect again')
    .description('Performs an open effect now. One that is being performed is left alone.')
    .argument('<intent>', 'intent hash, as "effects ls" shows it; its beginning is enough')
    .addHelpText('after', examples('effects retry sha256:3f2a…'))
    .action(async (intent: string) =>
      run(async (ctx) => (await import('./command/effects.ts')).retryEffect(ctx, intent)),
    );
  effects
    .command('receipt')
    .summary('answer an effect by hand')
    .description(
      'Gives an effect its receipt by hand, as when its outcome was found out some other way. The plan goes on with it; the journal names its adapter "manual.…".',
    )
    .argument('<intent>', 'intent hash, as "effects ls" shows it; its beginning is enough')
    .addOption(new Option('--status <status>', 'how it went').choices(['ok', 'error', 'timeout']).makeOptionMandatory())
    .option('--payload <json>', 'what the effect answered, of its receipt schema: JSON, @file or @-')
    .option('--error-code <code>', 'with error and timeout: what a plan can branch on')
    .option('--error-message <text>', 'with --error-code: for people')
    .addHelpText(
      'after',
      examples(
        'effects receipt sha256:3f2a… --status ok --payload @answer.json',
        'effects receipt sha256:3f2a… --status error --error-code payment.declined --error-message "card expired"',
      ),
    )
    .action(async (intent: string, flags) =>
      run(async (ctx) => (await import('./command/effects.ts')).injectReceipt(ctx, intent, flags)),
    );
}

function traceCommands(root: Command, run: Act): void {
  const rooted = (command: Command) =>
    command
      .option('--event-hash <hash>', 'the event, as "event send" prints it; its beginning is enough')
      .option('--schema <schema>', 'or the newest event of this schema that has, with the next two')
      .option('--correlate-by <path>', 'in this field: order.id')
      .option('--value <json>', 'this value')
      .option('--plan <id>', 'or a run, as "plans ls" shows it: what followed from its start', count('a plan id'))
      .option('--window-limit <n>', 'at most so many records (up to 10000)', count('records'), 400);
  rooted(root.command('trace'))
    .summary('what followed from an event')
    .description(
      'Shows what followed from one event and from nothing else: runs, their effects, receipts and events, with what is still waited for.',
    )
    .option('--follow', 'go on until it has ended or failed')
    .option('--interval-ms <n>', 'with --follow: time between looks', count('milliseconds'), 700)
    .option('--max-polls <n>', 'with --follow: at most so many looks', count('looks'), 120)
    .option('--out <file>', 'write to this file instead')
    .addHelpText(
      'after',
      `${examples(
        'trace --event-hash sha256:3f2a…',
        `trace --schema hello/Asked@1 --correlate-by name --value '"Ada"'`,
        'trace --plan 7',
        'trace --event-hash sha256:3f2a… --follow',
      )}\n\nValues are not shown; --json has them. "worldline trace-diagnose" explains where it stands.`,
    )
    .action(async (flags) => run(async (ctx) => (await import('./command/trace.ts')).trace(ctx, flags)));
  root
    .command('trace-find')
    .summary('find events by a field')
    .description('Finds events whose field has a value, newest first.')
    .requiredOption('--schema <schema>', 'their schema')
    .requiredOption('--correlate-by <path>', 'the field, order.id')
    .requiredOption('--value <json>', 'its value')
    .option('--from <seq>', 'first record (default: so that the last one is the newest)', count('a sequence number'))
    .option('--limit <n>', 'look at so many records', count('records'), 1000)
    .option('--max-results <n>', 'show at most so many', count('events'), 20)
    .option('--out <file>', 'write to this file instead')
    .addHelpText(
      'after',
      `${examples(`trace-find --schema hello/Asked@1 --correlate-by name --value '"Ada"'`)}\n\nA field of a variant is behind "$value", its arm is "$tag": --correlate-by body.$value.id`,
    )
    .action(async (flags) => run(async (ctx) => (await import('./command/trace.ts')).traceFind(ctx, flags)));
  rooted(root.command('trace-diagnose'))
    .summary('why it stands where it stands')
    .description(
      'Says how far an event or a run has come, why no further, and what to do about it: the rule that denied it, the value that differed, the person who has to decide, down to the child of a child.',
    )
    .option('--check', 'exit 7 unless it is completed')
    .addHelpText(
      'after',
      `${examples(
        'trace-diagnose --event-hash sha256:3f2a…',
        'trace-diagnose --plan 7',
        'trace-diagnose --event-hash sha256:3f2a… --check --json',
      )}\n\n"cause" is one of a short list, "reason" says more; docs/guides/find-out-why.md has every code.`,
    )
    .action(async (flags) => run(async (ctx) => (await import('./command/trace.ts')).traceDiagnose(ctx, flags)));
}

function configCommands(root: Command, run: Act): void {
  const config = group(root, 'config', 'settings that are part of the world and journaled with it');
  config
    .command('get')
    .summary('show the settings in force')
    .description(
      'Shows the world configuration in force, and where the "world" settings of worldline.host.json differ from it.',
    )
    .addHelpText('after', examples('config get', 'config get --json'))
    .action(async () => run(async (ctx) => (await import('./command/config.ts')).getConfig(ctx)));
  config
    .command('apply')
    .summary('put the folder’s settings into force')
    .description(
      'Puts the "world" settings of worldline.host.json into force, from the next input on. The change is journaled.',
    )
    .option('-y, --yes', 'do not ask')
    .addHelpText('after', examples('config apply', 'config apply --yes --json'))
    .action(async (flags) => run(async (ctx) => (await import('./command/config.ts')).applyConfig(ctx, flags)));
}

function tokenCommands(root: Command, run: Act): void {
  const token = group(root, 'token', 'who may ask this world over the network');
  const list = (value: string, before: readonly string[] | undefined) => [...(before ?? []), value];
  token
    .command('create <name>')
    .summary('make a token and show it once')
    .description(
      'Makes a token and shows it once; only its hash is kept. With --peer it is for one other world, which sends messages with it: the name is what "fabric_accept" calls that world.',
    )
    .option(
      '--scope <scope>',
      'what it is for (repeatable): read, event, receipt, approval, blob.write, fabric, secret, workspace.write, gov.propose, gov.approve, gov.apply, or admin for everything',
      list,
    )
    .option('--role <role>', 'role for approvals (repeatable)', list)
    .option('--expires <duration>', 'how long it is valid: 12h, 90d (default: until it is revoked)')
    .option('--peer <world>', 'world id of the peer it belongs to, as "worldline status" there shows it')
    .addHelpText(
      'after',
      examples(
        'token create desk --peer 01a22443-6a8e-7f49-ac50-5ce56d30e47a',
        'token create dashboard --scope read --expires 90d',
      ),
    )
    .action(async (name: string, flags) =>
      run(async (ctx) => (await import('./command/token.ts')).makeToken(ctx, name, flags)),
    );
  token
    .command('ls')
    .summary('list tokens')
    .description('Lists the named tokens: what each is for, and until when. Never their text.')
    .addHelpText('after', examples('token ls', 'token ls --json'))
    .action(async () => run(async (ctx) => (await import('./command/token.ts')).listTokens(ctx)));
  token
    .command('revoke <name>')
    .summary('end a token')
    .description('Ends a token at once, also for a world that is running.')
    .addHelpText('after', examples('token revoke desk'))
    .action(async (name: string) => run(async (ctx) => (await import('./command/token.ts')).dropToken(ctx, name)));
}

function checkCommand(
  command: Command,
  run: (action: (ctx: Context) => Promise<void>) => Promise<void>,
  checks = 'Checks',
): void {
  command
    .summary('find mistakes before a run')
    .description(
      `${checks} the definitions of a folder: structure, types, references, authority. Needs no running world.`,
    )
    .option('--map <file>', 'sync file (default: worldline.json of the world)')
    .option('--fail-on-warning', 'exit 7 for warnings too')
    .option('--only <codes>', 'show only these codes, separated by commas; every error counts all the same')
    .option('--ignore <codes>', 'do not show these codes')
    .option(
      '--fix',
      'write what can be meant in one way only into the files, and say what (keys, conjuncts, edges, hashes); then check',
    )
    .option('--dry-run', 'with --fix: show it, and write nothing')
    .option('--watch', 'check again whenever a file changes, until Ctrl-C; with --fix it fixes each time')
    .option('--explain [code]', 'what a code or rule means, with a wrong and a right example; without one, all codes')
    .addHelpText(
      'after',
      examples(
        'check',
        'check --watch',
        'check --watch --fix',
        'check --explain plan.cyclic',
        'check --fix --dry-run',
        'check --fail-on-warning --json',
      ),
    )
    .action(async (flags) =>
      run(async (ctx) => {
        // Only who asks for an explanation loads the table of all codes.
        if (flags.explain !== undefined) return (await import('./command/explain.ts')).explain(ctx, flags.explain);
        if (flags.watch === true) return (await import('./command/check-watch.ts')).checkWatch(ctx, flags);
        return (await import('./command/check.ts')).check(ctx, flags);
      }),
    );
}

/** As usual, and that an option is needed; an empty default says nothing. */
function describe(option: Option): string {
  const { defaultValue, mandatory } = option;
  const isEmpty = defaultValue === '' || (Array.isArray(defaultValue) && defaultValue.length === 0);
  const shown: Option = isEmpty ? Object.create(option, { defaultValue: { value: undefined } }) : option;
  const text = new Help().optionDescription(shown);
  return mandatory ? `${text} (required)` : text;
}

/** Where to read on. */
function footer(command: Command): string {
  if (command.commands.length === 0) return '\nOptions of every command, such as --world and --json: worldline --help';
  return `\nEach explains itself: worldline ${command.name()} ${command.commands[0]?.name()} --help`;
}

function group(root: Command, name: string, description: string): Command {
  return root.command(name).description(description).helpCommand(false);
}

function examples(...lines: string[]): string {
  return `\nExamples:\n${lines.map((line) => `  worldline ${line}`).join('\n')}`;
}

/**
 * Of a command that takes the world folder as an argument, too. One in the environment is for whoever names none.
 *
 * @throws CommanderError when `--world` names another one.
 */
function expectOneWorld(root: Command, argument: string | undefined): void {
  const { world } = root.opts<{ world?: string }>();
  if (argument === undefined || world === undefined || root.getOptionValueSource('world') !== 'cli') return;
  if (resolve(world) !== resolve(argument))
    root.error(`two world folders are named: ${argument}, and ${world} with --world`);
}

function globalFlags(root: Command): GlobalFlags {
  const o = root.opts<{
    world?: string;
    mode: GlobalFlags['mode'];
    air?: string;
    store?: string;
    control?: string;
    json?: boolean;
    pretty?: boolean;
    meta: boolean;
    quiet?: boolean;
    timeoutMs: number;
  }>();
  return {
    world: o.world,
    mode: o.mode,
    air: o.air,
    store: o.store,
    control: o.control,
    json: o.json === true || o.pretty === true,
    pretty: o.pretty === true,
    meta: o.meta,
    quiet: o.quiet === true,
    timeoutMs: o.timeoutMs,
    timeoutGiven: root.getOptionValueSource('timeoutMs') !== 'default',
  };
}

function count(what: string): (text: string) => number {
  return (text) => {
    if (!/^[0-9]{1,15}$/.test(text)) throw new InvalidArgumentError(`Expected a whole number (${what}).`);
    return Number(text);
  };
}

function planId(text: string): number {
  if (!/^[0-9]{1,15}$/.test(text))
    throw new InvalidArgumentError('A plan id is a whole number; "worldline plans ls" shows them.');
  return Number(text);
}
