import { expect, test } from 'vitest';
import { readTopics, TOPICS } from '../src/stream-topics.ts';

/** Topics of the event stream (`host.md` §9); what each one sends is in test/control/stream.test.ts. */

const read = (...given: string[]) => {
  const topics = readTopics(given);
  return topics.ok ? [...topics.value] : [topics.failure.code, topics.failure.path];
};

test('one list or several, each topic once; none at all is the journal', () => {
  expect(read()).toEqual(['journal']);
  expect(read('plans')).toEqual(['plans']);
  expect(read('plans,events', 'events,host')).toEqual(['plans', 'events', 'host']);
  expect(read(TOPICS.join(','))).toEqual([...TOPICS]);
});

test('what is no topic is refused, with the nearest one', () => {
  for (const given of ['', 'plan', 'plans,', 'Plans', ' plans', 'dispatch', 'x'.repeat(10_000)])
    expect(read(given)).toEqual(['invalid_request', ['query', 'topics']]);
  expect(readTopics(['approval'])).toMatchObject({ failure: { hint: 'Did you mean "approvals"?' } });
});
