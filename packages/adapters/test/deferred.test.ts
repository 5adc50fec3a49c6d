import { approvalAdapter, guardedHttp, timerAdapter } from '@worldline/adapters';
import { describe, expect, test } from 'vitest';
import { context, request } from './support.ts';

const ctx = context(guardedHttp());
const approval = (subject: string, options: Parameters<typeof request>[2] = {}) =>
  request('approval.request', { subject, requester: 'plan', context_ref: null }, options);

describe('approval.request (host.md §5.6)', () => {
  test('is deferred and stays open after registration', async () => {
    const adapter = approvalAdapter();
    expect(adapter.classify(approval('x'))).toBe('deferred');
    expect(await adapter.register!(approval('release 7'), ctx)).toBeUndefined();
  });

  test.each([
    ['a'.repeat(512), undefined],
    ['a'.repeat(513), 'approval.subject_too_long'],
    ['é'.repeat(256), undefined],
    ['é'.repeat(257), 'approval.subject_too_long'],
  ])('a subject is measured in bytes', async (subject, code) => {
    const answer = await approvalAdapter().register!(approval(subject), ctx);
    if (code === undefined) expect(answer).toBeUndefined();
    else expect(answer).toMatchObject({ status: 'error', error: { code } });
  });

  test('more than max_pending are refused; a repeat, a recovered one and a freed place are not', async () => {
    const adapter = approvalAdapter({ maxPending: 1 });
    const hash = (digit: string) => ({ intentHash: `sha256:${digit.repeat(64)}` });
    expect(await adapter.register!(approval('a', hash('a')), ctx)).toBeUndefined();
    expect(await adapter.register!(approval('a', hash('a')), ctx)).toBeUndefined();
    expect(await adapter.register!(approval('b', hash('b')), ctx)).toMatchObject({
      error: { code: 'approval.too_many' },
    });
    expect(await adapter.register!(approval('c', { ...hash('c'), recovered: true }), ctx)).toBeUndefined();
    await adapter.cancel!(hash('a').intentHash, 'decided');
    await adapter.cancel!(hash('c').intentHash, 'withdrawn');
    expect(await adapter.register!(approval('b', hash('b')), ctx)).toBeUndefined();
  });
});

test('timers are deferred kinds of the reserved id timer.set (host.md §5.3)', async () => {
  const adapter = timerAdapter();
  expect([adapter.id, ...adapter.kinds]).toEqual(['timer.set', 'timer.set', 'timer.after']);
  expect(adapter.classify(request('timer.after', {}))).toBe('deferred');
  expect(await adapter.register!(request('timer.after', {}), ctx)).toBeUndefined();
});
