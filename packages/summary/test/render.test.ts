import { utf8 } from '@worldline/canon';
import type { JournalRecord } from '@worldline/kernel';
import { describe, expect, it } from 'vitest';
import { summarize } from '../src/fold.ts';
import { renderRecord } from '../src/record-line.ts';
import { formatDuration, renderSummary } from '../src/render.ts';
import { admitted, cap, ended, external, intent, Journal, policy, raised, receipt, started } from './journal.ts';

const CORE = 'pack.reqresp/core_ask@1';
const ENTRY = 'pack.reqresp/entry_ask@1';

function flow(): Journal {
  const send = intent(CORE, 15, 'fabric.send.request');
  const timer = intent(CORE, 15, 'timer.set', { params: { deliver_at_ns: 30, key: 'deadline:r-17' } });
  return new Journal()
    .at(
      1,
      external('com.acme/Ask@1'),
      started(ENTRY, 14),
      started(CORE, 15, { parent: 14 }),
      ...admitted(send),
      ...admitted(timer),
    )
    .at(1.04, receipt(5))
    .at(1.5, {
      record_kind: 'ingress_rejected',
      ingress_kind: 'receipt',
      digest: new Uint8Array(32),
      code: 'receipt.unknown',
      message: '',
    })
    .at(1.6, {
      record_kind: 'reducer_fault',
      reducer: 'com.acme/R@1',
      event_seq: 0,
      event_hash: new Uint8Array(32),
      code: 'reducer.output_invalid',
      message: '',
    })
    .at(1.9, external('com.acme/Response@1'), ended(CORE, 15), raised(ENTRY, 14, {}), ended(ENTRY, 14))
    .at(31, receipt(8, 'ok', { disposition: 'late' }));
}

describe('the table of summaries.md §7', () => {
  it('is the one of the chapter', () => {
    expect(renderSummary(summarize(flow().batches))).toBe(
      `plan runs  journal 0..16  (complete)
plan                          start child    ok   err  live  t/o  deny  inv  adapt   p50      p95      max
pack.reqresp/core_ask@1           1     1     1     0     0    0     0    0      0   0.90s    0.90s    0.90s
pack.reqresp/entry_ask@1          1     0     1     0     0    0     0    0      0   0.90s    0.90s    0.90s
total                             2     1     2     0     0    0     0    0      0
roots                             1     0     1     0     0    0     0    0      0
errors      none
effects     fabric.send.request 1 (ok 1)   timer.set 1 (ok 1)   late 1
deadlines   armed 1, in time 0, late 1, open 0
other       ingress rejected 1, reducer faults 1, orphaned receipts 0
`,
    );
  });

  it('says none where nothing happened', () => {
    expect(renderSummary(summarize([]))).toBe(
      `plan runs  journal 0..-1  (complete)
plan                          start child    ok   err  live  t/o  deny  inv  adapt   p50      p95      max
total                             0     0     0     0     0    0     0    0      0
roots                             0     0     0     0     0    0     0    0      0
errors      none
effects     none
deadlines   none
other       none
`,
    );
  });

  it('puts plans with errors first, never cuts a name, and lists errors by number', () => {
    const long = `com.acme/${'long_'.repeat(8)}name@1`;
    const journal = new Journal()
      .at(1, started('a@1', 0), started('b@1', 1), started(long, 2), ...admitted(intent(long, 2, 'http.request')))
      .at(2, cap('h'), policy('h', 'deny'), ended('b@1', 1, 'policy_denied'))
      .at(2, started('b@1', 3), ended('b@1', 3, 'expr_error'), started('b@1', 4), ended('b@1', 4, 'expr_error'))
      .at(2.5, ended('a@1', 0, 'invariant_violation'))
      .at(3, receipt(5, 'error', { code: 'http.status' }));
    expect(renderSummary(summarize(journal.batches))).toBe(
      `plan runs  journal 0..14  (complete)
plan                                                     start child    ok   err  live  t/o  deny  inv  adapt   p50      p95      max
b@1                                                          3     0     0     3     0    0     1    0      0   0ns      1.00s    1.00s
a@1                                                          1     0     0     1     0    0     0    1      0   1.50s    1.50s    1.50s
com.acme/long_long_long_long_long_long_long_long_name@1      1     0     0     0     1    0     0    0      1   -        -        -
total                                                        5     0     0     4     1    0     1    1      1
roots                                                        5     0     0     4     1    0     1    1      1
errors      expr_error ×2   invariant_violation ×1   policy_denied ×1
effects     http.request 1 (error 1)
deadlines   none
other       none
`,
    );
  });

  it('says partial when something began before the range', () => {
    expect(renderSummary(summarize(flow().batches, { from: 9 }))).toMatch(
      /^plan runs {2}journal 9\.\.16 {2}\(partial\)\n/,
    );
  });

  it.each<[bigint, string]>([
    [0n, '0ns'],
    [12n, '12ns'],
    [99n, '99ns'],
    [100n, '0.10µs'],
    [1_500n, '1.50µs'],
    [40_000_000n, '40.00ms'],
    [900_000_000n, '0.90s'],
    [999_996_000n, '1.00s'],
    [1_005_000_000n, '1.01s'],
    [59_990_000_000n, '59.99s'],
    [60_000_000_000n, '1.00m'],
    [3_600_000_000_000n, '1.00h'],
    [90_000_000_000_000n, '25.00h'],
  ])('%i ns is %s', (ns, text) => {
    expect(formatDuration(ns)).toBe(text);
  });
});

describe('one line per record', () => {
  const hash = new Uint8Array(32).fill(0xab);
  const of = intent(CORE, 15, 'http.request', { params: { token: 'hunter2' } });
  const lines: readonly [JournalRecord, string][] = [
    [
      { ...external('com.acme/Ask@1', { password: 'hunter2' }), event_hash: hash, ingress_id: 'r-17' },
      'domain_event com.acme/Ask@1 external id r-17 abababab',
    ],
    [
      { ...raised(CORE, 15, { x: 'hunter2' }), event_hash: hash },
      'domain_event com.acme/Settled@1 plan by pack.reqresp/core_ask@1 #15 abababab cause 0',
    ],
    [
      { ...of, intent_hash: hash },
      'effect_intent http.request cap grant by pack.reqresp/core_ask@1 #15/emit abababab cause 0',
    ],
    [
      { ...of, intent_hash: hash, coalesced_into: 9 },
      'effect_intent http.request cap grant by pack.reqresp/core_ask@1 #15/emit coalesced into seq 9 abababab cause 0',
    ],
    [
      { ...of, intent_hash: hash, origin: { origin_kind: 'reducer', name: 'com.acme/R@1' } },
      'effect_intent http.request cap grant by com.acme/R@1 abababab cause 0',
    ],
    [
      { ...receipt(7), payload_cbor: utf8('hunter2'), cost_cents: 3n },
      'effect_receipt ok for seq 7 by host.http applied 3 cents',
    ],
    [
      receipt(7, 'error', { code: 'http.status', disposition: 'late' }),
      'effect_receipt error http.status for seq 7 by host.http late',
    ],
    [{ ...cap('h', 'deny'), intent_hash: hash }, 'cap_decision deny host_not_allowed http.request cap grant abababab'],
    [{ ...policy('h'), intent_hash: hash }, 'policy_decision allow com.acme/policy@1 rule/0 abababab'],
    [
      { ...policy('h', 'deny'), intent_hash: hash, rule_index: undefined },
      'policy_decision deny com.acme/policy@1 default abababab',
    ],
    [started(CORE, 15, { cause: 4 }), 'plan_started pack.reqresp/core_ask@1 #15 cause 4'],
    [started(CORE, 15, { parent: 14 }), 'plan_started pack.reqresp/core_ask@1 #15 child of #14/spawn cause 0'],
    [ended(CORE, 15), 'plan_ended pack.reqresp/core_ask@1 #15 ok cause 0'],
    [
      { ...ended(CORE, 15, 'expr_error'), step_id: 'b', message: 'hunter2' },
      'plan_ended pack.reqresp/core_ask@1 #15 error expr_error at b cause 0',
    ],
    [
      {
        record_kind: 'plan_result',
        plan_name: CORE,
        plan_id: 15,
        output_schema: 'com.acme/Out@1',
        value_cbor: utf8('hunter2'),
      },
      'plan_result pack.reqresp/core_ask@1 #15 com.acme/Out@1',
    ],
    [
      { record_kind: 'plan_start', plan: CORE, plan_id: 15, input_cbor: utf8('hunter2'), ingress_id: 'i' },
      'plan_start pack.reqresp/core_ask@1 #15 id i',
    ],
    [{ record_kind: 'plan_cancel', plan_id: 15, reason: 'hunter2', actor: 'ops' }, 'plan_cancel #15 by ops'],
    [
      {
        record_kind: 'reducer_fault',
        reducer: 'com.acme/R@1',
        event_seq: 3,
        event_hash: hash,
        code: 'reducer.trap',
        message: 'hunter2',
      },
      'reducer_fault com.acme/R@1 reducer.trap at seq 3',
    ],
    [
      {
        record_kind: 'ingress_rejected',
        ingress_kind: 'receipt',
        emission_seq: 3,
        digest: hash,
        code: 'receipt.unknown',
        message: 'hunter2',
      },
      'ingress_rejected receipt receipt.unknown for seq 3',
    ],
    [
      { record_kind: 'manifest', manifest_hash: hash, config_hash: new Uint8Array(32) },
      'manifest abababab config 00000000',
    ],
    [
      {
        record_kind: 'governance',
        event: 'direct_applied',
        patch_hash: hash,
        manifest_base: hash,
        manifest_hash_new: new Uint8Array(32),
        actor: 'ops',
      },
      'governance direct_applied by ops patch abababab 00000000',
    ],
    [{ record_kind: 'snapshot', snapshot_ref: hash, height: 12, manifest_hash: hash }, 'snapshot height 12 abababab'],
    [
      {
        record_kind: 'baseline',
        snapshot_ref: hash,
        height: 12,
        manifest_hash: hash,
        logical_time_ns: 1n,
        receipt_horizon_height: 0,
      },
      'baseline height 12 abababab',
    ],
    [{ record_kind: 'custom', tag: 'sys/pin', data: utf8('hunter2') }, 'custom sys/pin 7 bytes'],
  ];

  it.each(lines)('%#', (record, text) => {
    expect(renderRecord(120, record)).toBe(`#120 ${text}`);
  });

  it('none of them shows a value, a payload or a free text', () => {
    for (const [record] of lines) expect(renderRecord(1, record)).not.toContain('hunter2');
  });

  it('stays one line whatever an id contains, and ends', () => {
    const id = `a\nb\u001b[31m\u2028\u202e${'😀'.repeat(400)}`;
    const line = renderRecord(1, { ...external('com.acme/E@1'), ingress_id: id });
    expect(line).toMatch(/id a�b�\[31m��😀/);
    expect([...line].length).toBeLessThan(330);
    expect(line.isWellFormed()).toBe(true);
  });
});
