import { hashText, ok, parseHashText } from '@worldline/canon';
import { configJson, readConfigJson, refuse, type World } from '@worldline/host';
import { Members } from './request.ts';
import type { Endpoint } from './router.ts';

/** World configuration (`host.md` §8.3, `kernel.md` §15). */
export function configEndpoints(world: World): readonly Endpoint[] {
  return [
    {
      method: 'GET',
      path: '/api/config',
      run: () =>
        world.read(({ config, configHash }) =>
          ok({ body: { config: configJson(config), config_hash: hashText(configHash) } }),
        ),
    },
    {
      method: 'PUT',
      path: '/api/config',
      async run({ body }) {
        const members = new Members(body, ['config', 'expected_hash']);
        const text = members.text('expected_hash');
        if (members.problem !== undefined) return members.problem;
        const expected = parseHashText(text);
        if (expected === undefined)
          return refuse('invalid_request', '"expected_hash" is no hash', { path: ['expected_hash'] });
        const config = readConfigJson(members.json('config'));
        if (!config.ok) return config;
        const applied = await world.applyConfig(config.value, expected);
        return applied.ok ? ok({ body: { config_hash: applied.value.configHash } }) : applied;
      },
    },
  ];
}
