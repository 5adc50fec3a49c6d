import { describe, expect, it } from 'vitest';
import { summarize } from '../src/fold.ts';
import { summaryToMarkdown } from '../src/markdown.ts';
import { admitted, byReducer, ended, intent, Journal, policy, receipt, started } from './journal.ts';

describe('a summary as Markdown', () => {
  it('shows what happened and leaves out what did not', () => {
    const timer = intent('a@1', 0, 'timer.set', { params: { deliver_at_ns: 30, key: 'deadline:r' } });
    const journal = new Journal()
      .at(1, started('a@1', 0), ...admitted(timer), ...admitted(intent('a@1', 0, 'http.request')))
      .at(1.04, receipt(6, 'error', { code: 'http.status' }), ended('a@1', 0))
      .at(2, started('b@1', 1), policy('x', 'deny'), ended('b@1', 1, 'policy_denied'), byReducer('r@1', 'blob.put'))
      .at(31, receipt(3, 'ok', { disposition: 'late' }));
    expect(summaryToMarkdown(summarize(journal.batches, { label: 'desk|1' }))).toBe(`# Plan runs of desk\\|1

Journal 0..13, complete.

| Plan | Started | As child | Ok | Error | Live | Deadline won | Denied | Invariant | Adapter | p50 | p95 | max |
| --- | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: |
| \`b@1\` | 1 | 0 | 0 | 1 | 0 | 0 | 1 | 0 | 0 | 0ns | 0ns | 0ns |
| \`a@1\` | 1 | 0 | 1 | 0 | 0 | 0 | 0 | 0 | 1 | 40.00ms | 40.00ms | 40.00ms |
| **total** | 2 | 0 | 1 | 1 | 0 | 0 | 1 | 0 | 1 | 0ns | 40.00ms | 40.00ms |
| **roots** | 2 | 0 | 1 | 1 | 0 | 0 | 1 | 0 | 1 | 0ns | 40.00ms | 40.00ms |

## Errors

| Code | Runs |
| --- | --: |
| \`policy_denied\` | 1 |

## Failure signals

| Signal | Count |
| --- | --: |
| \`policy_deny\` | 1 |
| \`adapter_error\` | 1 |

## Effects

| Kind | Intents | Ok | Error | Timeout | Wait p50 | p95 | max |
| --- | --: | --: | --: | --: | --: | --: | --: |
| \`http.request\` | 1 | 0 | 1 | 0 | 40.00ms | 40.00ms | 40.00ms |
| \`timer.set\` | 1 | 1 | 0 | 0 | 30.00s | 30.00s | 30.00s |

## Effects in all

- 2 intents, of which 0 shared another's; 0 without a receipt
- receipts: 1 ok, 1 error, 0 timeout; 1 late
- policy decisions: 2 allow, 1 deny; capability decisions: 2 allow, 0 deny

## Deadlines

| Armed | In time | Late | Open |
| --: | --: | --: | --: |
| 1 | 0 | 1 | 0 |

## Outside plans

- 1 intent
`);
  });

  it('of nothing is one empty table', () => {
    expect(summaryToMarkdown(summarize([]))).toMatch(
      /^# Plan runs\n\nJournal 0\.\.-1, complete\.\n\n\| Plan .*\n.*\n\| \*\*total.*\n\| \*\*roots.*\n$/,
    );
  });

  it('a name cannot leave its cell', () => {
    const text = summaryToMarkdown(summarize(new Journal().at(1, started('a`|\n# x', 0)).batches));
    expect(text).toContain('| `a���# x` |');
  });
});
