// Three quotes: with the supplier's price, with the list price because the supplier was too slow, and with the list price
// because it has none. What the plan does after the race is not disturbed by the one who lost it.
//
//   node examples/03-deadline-race-core/demo.mjs
import { armOf, runDemo, SECOND_NS } from '../demo-kit.mjs';

const SETTLED = 'shop/QuoteSettled@1';

await runDemo(import.meta.url, async (demo) => {
  demo.say('The shop wants quotes. Its plan races the supplier against a deadline in a child, and goes on.');
  await demo.show('check');
  const url = await demo.service('service.mjs');
  await demo.daemon();

  const quote = (request_id, article, seconds) =>
    demo.send(
      'shop/FetchByDeadlineRequested@1',
      {
        request_id,
        price_url: `${url}/prices/${article}`,
        order_url: `${url}/orders/${request_id}`,
        within_ns: seconds * SECOND_NS,
      },
      request_id,
    );
  await quote('q-lamp', 'lamp', 600);
  await quote('q-chair', 'chair', 3);
  await quote('q-sofa', 'sofa', 600);

  demo.say('The supplier is quick with the lamp, holds back the chair, and has no sofa.');
  const prices = new Map((await demo.settled(SETTLED, 3)).map((event) => [event.request_id, event.price]));
  const expected = {
    'q-lamp': ['Supplier'],
    'q-chair': ['List', 'the supplier was too slow'],
    'q-sofa': ['List', 'the supplier has no price'],
  };
  for (const [id, [arm, because]] of Object.entries(expected)) {
    const price = prices.get(id);
    const holds = armOf(price) === arm && (because === undefined || price[arm].because === because);
    demo.check(holds, `${id}: ${arm}${because === undefined ? '' : `, because ${because}`}`);
  }

  const orders = await (await fetch(`${url}/orders`)).json();
  demo.check(
    JSON.stringify(orders) === JSON.stringify([{ order: 'q-lamp', article: 'lamp', cents: 4900 }]),
    'the order desk took down one price, once: lamp, 49.00',
  );

  await fetch(`${url}/release`, { method: 'POST' });
  demo.say('Now the supplier answers about the chair. It is too late:');
  await demo.until('the late answer', async () => {
    const receipts = await demo.journal('effect_receipt');
    return receipts.some(({ record }) => record.disposition === 'late' && record.adapter_id === 'host.http');
  });
  demo.check((await demo.raised(SETTLED)).length === 3, 'the late answer settled nothing again');
});
