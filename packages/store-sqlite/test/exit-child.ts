import { sha256, unwrap, utf8 } from '@worldline/canon';
import { openSqliteStore } from '../src/index.ts';

/** Asks for one thing and does not close the store. */
const store = unwrap(await openSqliteStore(process.argv[2] ?? ''));
store.world.create({ worldId: 'w', universeId: 'u', configHash: sha256(utf8('c')) }, []).then(({ answer }) => {
  console.log(answer);
});
