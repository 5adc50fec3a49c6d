import { type Command, Option } from 'commander';
import { examples, group, type Run } from './form.ts';

/** The command that brings in an event from outside. */
export function eventCommands(root: Command, run: Run): void {
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
      run(async (ctx) => (await import('../command/event.ts')).sendEvent(ctx, schema, value, flags)),
    );
}
