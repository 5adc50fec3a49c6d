import { encode, hashText } from '@worldline/canon';
import type { JournalRecord } from '@worldline/kernel';
import { describe, expect, it } from 'vitest';
import { correlationIs, linkJournals } from '../src/correlation.ts';
import { FlowIndex } from '../src/flow.ts';
import { flowToJson, renderFlow } from '../src/flow-render.ts';
import { summarize } from '../src/fold.ts';
import { summaryToJson } from '../src/json.ts';
import type { Summary } from '../src/summary.ts';
import { admitted, delivered, ended, external, intent, Journal, raised, receipt, result, started } from './journal.ts';

const ENTRY = 'pack.reqresp/entry_ask@1';
const CORE = 'pack.reqresp/core_ask@1';
const ECHO = 'pack.echo/entry_echo@1';
const ECHO_CORE = 'pack.echo/core_echo@1';

const rejected: JournalRecord = {
  record_kind: 'ingress_rejected',
  ingress_kind: 'event',
  digest: new Uint8Array(32),
  code: 'schema.unknown',
  message: '',
};

/** Something else happens until the journal is at `seq`. */
function until(journal: Journal, seq: number): Journal {
  while (journal.next < seq) journal.at(1, rejected);
  return journal;
}

const REQUEST = intent(CORE, 15, 'fabric.send.request', { step: 'send', cause: 120 });
const RESPONSE = intent(ECHO, 7, 'fabric.send.response', { step: 'reply', cause: 88 });
const DEADLINE = intent(CORE, 15, 'timer.set', {
  step: 'arm',
  cause: 120,
  params: { deliver_at_ns: 30, key: 'deadline:r-17' },
});

/** World A of summaries.md §5. @param refused - B does not take the request, so no answer comes. */
function desk(refused = false): Journal {
  const journal = new Journal();
  journal.next = 120;
  journal.at(
    1,
    external('com.acme/Ask@1'),
    started(ENTRY, 14, { correlation: 'r-17', cause: 120 }),
    started(CORE, 15, { correlation: 'r-17', parent: 14, cause: 120 }),
    ...admitted(REQUEST),
    ...admitted(DEADLINE),
  );
  if (refused) {
    until(journal, 131).at(
      1.04,
      receipt(125, 'error', { code: 'fabric.refused', adapter: 'host.fabric' }),
      ended(CORE, 15, undefined, 122, 131),
      result(CORE, 15, { $tag: 'Failed', $value: null }),
      raised(ENTRY, 14, {}, 'pack.reqresp/AskSettled@1', 132),
      ended(ENTRY, 14, undefined, 121, 132),
    );
  } else {
    until(journal, 131).at(1.04, receipt(125, 'ok', { adapter: 'host.fabric' }));
    until(journal, 140).at(
      1.9,
      delivered('com.acme/Response@1', 'lab', RESPONSE),
      ended(CORE, 15, undefined, 122, 140),
      result(CORE, 15, { $tag: 'Answered', $value: null }),
      raised(ENTRY, 14, {}, 'pack.reqresp/AskSettled@1', 141),
      ended(ENTRY, 14, undefined, 121, 141),
    );
  }
  return until(journal, 160).at(31, receipt(128, 'ok', { adapter: 'timer.set', disposition: 'late' }));
}

/** World B: its own runs carry the same correlation. */
function lab(): Journal {
  const journal = new Journal();
  journal.next = 88;
  return journal
    .at(
      1.02,
      delivered('com.acme/Request@1', 'desk', REQUEST),
      started(ECHO, 7, { correlation: 'r-17', cause: 88 }),
      ...admitted(RESPONSE),
      started(ECHO_CORE, 8, { correlation: 'r-17', parent: 7, cause: 88 }),
      ended(ECHO_CORE, 8, undefined, 93, 88),
    )
    .at(1.03, receipt(92, 'ok', { adapter: 'host.fabric' }), ended(ECHO, 7, undefined, 89, 95));
}

const R17 = encode('r-17');

function look(
  journals: Readonly<Record<string, Journal>>,
  correlations: true | ReturnType<typeof correlationIs> = true,
) {
  const each = Object.entries(journals).map(([label, { batches }]) => summarize(batches, { label, correlations }));
  const summaries = linkJournals(each, correlations === true ? undefined : correlations);
  const flow = new FlowIndex(summaries.map(({ flows }) => flows!)).flowOf(R17);
  return { summaries, flow, text: renderFlow(flow).join('\n') };
}

function entries({ correlations = [] }: Summary) {
  return correlations;
}

describe('the correlation index of summaries.md §5', () => {
  it('holds runs, events by role, and effects with their receipts', () => {
    const [entry, ...rest] = entries(summarize(desk().batches, { label: 'desk', correlations: true }));
    expect(rest).toEqual([]);
    expect(entry).toMatchObject({
      correlation: R17,
      runs: [
        { plan_id: 14, plan: ENTRY, started_seq: 121, ended_seq: 144, status: 'ok' },
        { plan_id: 15, plan: CORE, parent_plan_id: 14, started_seq: 122, ended_seq: 141, status: 'ok' },
      ],
      events: [
        { seq: 120, schema: 'com.acme/Ask@1', role: 'trigger', plan_id: 14 },
        { seq: 140, schema: 'com.acme/Response@1', role: 'woke', plan_id: 15, message_id: expect.any(String) },
        { seq: 143, schema: 'pack.reqresp/AskSettled@1', role: 'raised', plan_id: 14 },
      ],
      effects: [
        { seq: 125, plan_id: 15, step_id: 'send', kind: 'fabric.send.request', receipt_seq: 131, status: 'ok' },
        { seq: 128, plan_id: 15, step_id: 'arm', kind: 'timer.set', receipt_seq: 160, disposition: 'late' },
      ],
      links: [],
    });
    expect(entry!.runs.map((run) => run.parent_plan_id)).toEqual([undefined, 14]);
  });

  it('stands in the JSON before the instances, with absent members left out', () => {
    const json = summaryToJson(summarize(desk().batches, { correlations: true, instances: true }));
    expect(Object.keys(json as object).slice(-2)).toEqual(['correlations', 'instances']);
    const { correlations } = json as unknown as { correlations: { events: object[]; runs: object[] }[] };
    expect(Object.keys(correlations[0]!)).toEqual(['correlation', 'runs', 'events', 'effects', 'links']);
    expect(Object.keys(correlations[0]!.runs[0]!)).toEqual(['plan_id', 'plan', 'started_seq', 'ended_seq', 'status']);
    expect(Object.keys(correlations[0]!.events[0]!)).toEqual(['seq', 'schema', 'event_hash', 'role', 'plan_id']);
    expect(correlations[0]).toMatchObject({ correlation: 'r-17' });
  });

  it('is absent unless it is asked for', () => {
    expect(Object.keys(summaryToJson(summarize(desk().batches)) as object)).not.toContain('correlations');
  });

  it('an event that starts one run and wakes another has a row for each role, one that is raised too a third', () => {
    const P = 'p@1';
    const journal = new Journal()
      .at(1, external('t/E@1'), started(P, 0, { correlation: 'a', cause: 0 }))
      .at(
        2,
        external('t/F@1'),
        raised(P, 0, {}, 't/G@1', 2),
        started('q@1', 1, { correlation: 'a', cause: 3 }),
        raised(P, 0, {}, 't/H@1', 3),
        raised('q@1', 1, {}, 't/I@1', 5),
      );
    const [entry] = entries(summarize(journal.batches, { correlations: true }));
    expect(entry!.events.map(({ seq, role, plan_id }) => [seq, role, plan_id])).toEqual([
      [0, 'trigger', 0],
      [2, 'woke', 0],
      // It is a trigger, so it is no waker (§5), although #0 went on from it.
      [3, 'trigger', 1],
      [3, 'raised', 0],
      [5, 'woke', 1],
      [5, 'raised', 0],
      [6, 'raised', 1],
    ]);
  });

  it('a correlation that is no CBOR is shown as base64; a filter takes what is shown', () => {
    const journal = new Journal()
      .at(1, { ...started('p@1', 0), correlation: new Uint8Array([1, 2, 3]) })
      .at(1, started('p@1', 1, { correlation: { b: 2n ** 60n, a: [1, 'x'] } }))
      .at(1, started('p@1', 2, { correlation: 7 }));
    const shown = (filter: true | ReturnType<typeof correlationIs>) =>
      (
        summaryToJson(summarize(journal.batches, { correlations: filter })) as {
          correlations: { correlation: unknown }[];
        }
      ).correlations.map((entry) => entry.correlation);
    expect(shown(true)).toEqual(['AQID', { a: [1, 'x'], b: '1152921504606846976' }, 7]);
    expect(shown(correlationIs('AQID'))).toEqual(['AQID']);
    expect(shown(correlationIs({ b: 2n ** 60n, a: [1, 'x'] }))).toHaveLength(1);
    expect(shown(correlationIs(7))).toEqual([7]);
    expect(shown(correlationIs('7'))).toEqual([]);
  });

  it('a run that is carried in belongs to its correlation once its end says so', () => {
    const batches = desk().batches.map((batch) => ({
      ...batch,
      records: batch.records.map((record) =>
        record.record_kind === 'plan_ended' ? { ...record, correlation: R17 } : record,
      ),
    }));
    const made = summarize(batches, { correlations: true, from: 140 });
    expect(entries(made)[0]).toMatchObject({
      runs: [
        { plan_id: 14, started_seq: 121, ended_seq: 144 },
        { plan_id: 15, started_seq: 122, ended_seq: 141 },
      ],
      events: [
        { seq: 140, role: 'woke' },
        { seq: 143, role: 'raised' },
      ],
    });
    const live = new Journal()
      .at(1, started('p@1', 0, { correlation: 'a' }))
      .at(2, external('t/E@1'), ...admitted(intent('p@1', 0, 'http.request')));
    expect(entries(summarize(live.batches, { correlations: true, from: 1 }))).toEqual([]);
  });
});

describe('flows over several journals (worked cases of summaries.md §10)', () => {
  it('U16 worlds A and B: one message link each way, settled', () => {
    const { summaries, flow, text } = look({ desk: desk(), lab: lab() });
    const [a, b] = summaries.map((summary) => entries(summary)[0]!.links);
    const links = [
      {
        link: 'message',
        message_id: hashText(REQUEST.intent_hash),
        from: { world: 'desk', seq: 125 },
        to: { world: 'lab', seq: 88 },
      },
      {
        link: 'message',
        message_id: hashText(RESPONSE.intent_hash),
        from: { world: 'lab', seq: 92 },
        to: { world: 'desk', seq: 140 },
      },
    ];
    expect(a).toEqual(links);
    expect(b).toEqual(links);
    expect(flow.state).toBe('settled');
    expect(text).toBe(`flow "r-17"                       A: desk                              B: lab
A#120 event  Ask                  trigger
A#121 start  entry_ask #14
A#122 start  core_ask #15         child of #14
A#125 intent fabric.send.request  #15/send ───────────────────────────▶ B#88 event Request
A#128 intent timer.set            #15/arm  deadline:r-17
                                                                       B#89 start entry_echo #7
                                                                       B#92 intent fabric.send.response  #7/reply
                                                                       B#93 start core_echo #8  child of #7
                                                                       B#94 end core_echo #8 ok
A#131 receipt fabric ok           #15/send
A#140 event  Response             woke #15 ◀───────────────────────────┘
A#141 end    core_ask #15 ok
A#143 raised AskSettled
A#144 end    entry_ask #14 ok
A#160 receipt timer ok            late
                                                                       B#95 receipt fabric ok  #7/reply
                                                                       B#96 end entry_echo #7 ok
settled: 2 runs A, 2 runs B`);
  });

  it('U16 the same from the other end: arrows to the left are drawn at their arrival', () => {
    const { text } = look({ lab: lab(), desk: desk() });
    expect(text).toMatch(/\n +B#125 intent fabric\.send\.request {2}#15\/send\n/);
    expect(text).toMatch(/\nA#88 event {2}Request +trigger ◀─+┘\n/);
    expect(text).toMatch(/\nA#92 intent fabric\.send\.response +#7\/reply ─+▶ B#140 event Response\n/);
    expect(text.endsWith('settled: 2 runs A, 2 runs B')).toBe(true);
  });

  it('U16 as JSON', () => {
    const { flow } = look({ desk: desk(), lab: lab() });
    expect(flowToJson(flow)).toMatchObject({
      correlation: 'r-17',
      state: 'settled',
      worlds: [
        { world: 'desk', runs: 2, live: 0, error: 0 },
        { world: 'lab', runs: 2, live: 0, error: 0 },
      ],
      rows: expect.arrayContaining([
        {
          world: 'desk',
          seq: 125,
          what: 'intent',
          name: 'fabric.send.request',
          note: '#15/send',
          sent_to: { world: 'lab', seq: 88 },
        },
        {
          world: 'lab',
          seq: 88,
          what: 'event',
          name: 'Request',
          note: 'trigger',
          sent_from: { world: 'desk', seq: 125 },
        },
      ]),
    });
  });

  it('U17 B refuses the message: a link without a target, broken, one adapter error in A', () => {
    const other = new Journal().at(1, started('other@1', 0, { correlation: 'r-18' }));
    for (const journals of [{ desk: desk(true), lab: other }, { desk: desk(true) }]) {
      const { summaries, flow, text } = look(journals as Record<string, Journal>);
      expect(entries(summaries[0]!)[0]!.links).toEqual([
        { link: 'message', message_id: hashText(REQUEST.intent_hash), from: { world: 'desk', seq: 125 } },
      ]);
      expect(flow.state).toBe('broken');
      expect(summaries[0]!.totals.failure_signals.adapter_error).toBe(1);
      expect(text).toContain('#15/send  arrived nowhere');
      expect(text).toMatch(/\nbroken: 2 runs.*, 1 message arrived nowhere$/);
    }
  });

  it('U18 two flows, interleaved: no record appears under both', () => {
    const P = 'p@1';
    const journal = new Journal();
    for (const [id, correlation] of ['a', 'b'].entries()) {
      journal.at(1, external('t/Ask@1'), started(P, id, { correlation, cause: journal.next }));
    }
    for (const id of [0, 1]) {
      const cause = journal.next;
      journal.at(2, external('t/Go@1'), ...admitted(intent(P, id, 'http.request', { cause, hash: `h${id}` })));
    }
    for (const id of [1, 0]) {
      const cause = journal.next;
      journal.at(
        3,
        receipt(id === 0 ? 7 : 11),
        raised(P, id, {}, 't/Done@1', cause),
        ended(P, id, undefined, 0, cause),
      );
    }
    const made = summarize(journal.batches, { correlations: true });
    const seqs = entries(made).map(({ runs, events, effects }) => [
      ...runs.flatMap((run) => [run.started_seq, run.ended_seq!]),
      ...events.map((event) => event.seq),
      ...effects.flatMap((effect) => [effect.seq, effect.receipt_seq!]),
    ]);
    expect(seqs.map((of) => of.length)).toEqual([7, 7]);
    expect(seqs[0]!.filter((seq) => seqs[1]!.includes(seq))).toEqual([]);
    const index = new FlowIndex([made.flows!]);
    const rows = ['a', 'b'].map((id) => index.flowOf(encode(id)).rows.map((row) => row.seq));
    expect(rows.map((of) => of.length)).toEqual([7, 7]);
    expect(rows[0]!.filter((seq) => rows[1]!.includes(seq))).toEqual([]);
  });

  it('equal correlations in two worlds stand side by side and are no link', () => {
    const there = new Journal().at(1, external('t/E@1'), started('p@1', 0, { correlation: 'r-17', cause: 0 }));
    const { summaries, flow } = look({ desk: desk(), other: there });
    expect(entries(summaries[1]!)[0]!.links).toEqual([]);
    expect(flow.lanes.map(({ runs }) => runs)).toEqual([2, 1]);
    // The request was taken, but not by a world that is looked at: that message leads nowhere here.
    expect(flow.state).toBe('broken');
  });

  it('a message that is still under way leaves the flow waiting', () => {
    const { batches } = desk();
    const sent = { ...new Journal(), batches: batches.filter(({ firstSeq }) => firstSeq === 120) } as Journal;
    const other = new Journal().at(1, external('t/E@1'));
    const { flow, summaries } = look({ desk: sent, lab: other });
    expect(flow.state).toBe('waiting');
    expect(entries(summaries[0]!)[0]!.links).toEqual([]);
  });

  it('a message leads into runs of another correlation, and with a filter too', () => {
    const there = new Journal();
    there.next = 88;
    there.at(
      1.02,
      delivered('com.acme/Request@1', 'desk', REQUEST),
      started(ECHO, 7, { correlation: 'mine', cause: 88 }),
      ...admitted(RESPONSE),
      ended(ECHO, 7, 'expr_error', 89, 88),
    );
    there.at(2, external('t/E@1'), started('unrelated@1', 9, { correlation: 'else', cause: 94 }));
    for (const filter of [true, correlationIs('r-17')] as const) {
      const { flow, summaries } = look({ desk: desk(), lab: there }, filter);
      expect(flow.lanes.map(({ runs }) => runs)).toEqual([2, 1]);
      expect(flow.state).toBe('broken');
      if (filter !== true) expect(summaries.map((summary) => entries(summary).length)).toEqual([1, 0]);
    }
  });

  it('a run without a correlation, started by what the flow raised, belongs to it', () => {
    const journal = new Journal().at(
      1,
      external('t/E@1'),
      started('p@1', 0, { correlation: 'r-17', cause: 0 }),
      raised('p@1', 0, {}, 't/Audit@1', 0),
      ended('p@1', 0, undefined, 1, 0),
      started('audit@1', 1, { cause: 2 }),
      started('own@1', 2, { correlation: 'other', cause: 2 }),
    );
    for (const filter of [true, correlationIs('r-17')] as const) {
      const { flow, text } = look({ desk: journal }, filter);
      expect(text).toBe(
        `flow "r-17"
#0 event  E         trigger
#1 start  p #0
#2 raised Audit
#3 end    p #0 ok
#4 start  audit #1
waiting: 2 runs (1 live)`,
      );
      expect(flow.state).toBe('waiting');
    }
  });

  it('three worlds: an arrow passes over the lane between', () => {
    const there = new Journal();
    there.next = 88;
    there.at(1, delivered('com.acme/Request@1', 'desk', REQUEST), started(ECHO, 7, { cause: 88 }), ended(ECHO, 7));
    const idle = new Journal().at(1, external('t/E@1'));
    const { text } = look({ desk: desk(), idle, lab: there });
    expect(text.split('\n')[0]).toMatch(/^flow "r-17" +A: desk +B: idle +C: lab$/);
    expect(text).toMatch(/\nA#125 intent fabric\.send\.request {2}#15\/send ─{60,}▶ C#88 event Request\n/);
  });

  it('a forged circle of messages is shown, and does not hang', () => {
    const one = intent('p@1', 0, 'fabric.send', { hash: 'one', cause: 0 });
    const two = intent('q@1', 0, 'fabric.send', { hash: 'two', cause: 0 });
    const a = new Journal().at(
      1,
      delivered('t/E@1', 'b', two),
      started('p@1', 0, { correlation: 'r-17', cause: 0 }),
      one,
    );
    const b = new Journal().at(
      1,
      delivered('t/E@1', 'a', one),
      started('q@1', 0, { correlation: 'r-17', cause: 0 }),
      two,
    );
    expect(look({ a, b }).flow.rows).toHaveLength(6);
  });
});
