import { resolve } from 'node:path';
import type { FabricConfig } from './config-fabric.ts';
import type { FabricSender } from './fabric-inbox.ts';
import { readIdentity, worldFolder } from './folder.ts';

/**
 * The sender of a message that came from a world of the same user on this machine.
 *
 * The operating system has proved the user: only that one opens the control socket and the store. Which of the user's
 * worlds it is, is said by the folder: the peer is the one whose configured `path` holds the world with this id. A
 * process of the same user could name another of its worlds, as it could write into any of their stores.
 *
 * @param root - folder of the receiving world.
 * @returns undefined when no peer's folder holds that world.
 */
export async function localSender(
  root: string,
  { peers }: FabricConfig,
  worldId: string,
): Promise<FabricSender | undefined> {
  for (const [name, peer] of peers) {
    if (!('path' in peer)) continue;
    // Read each time: a folder that is made anew holds another world.
    const identity = await readIdentity(worldFolder(resolve(root, peer.path))).catch(() => undefined);
    if (identity?.ok !== true || identity.value?.world_id !== worldId) continue;
    return { name, address: `air://${identity.value.universe_id}/${worldId}` };
  }
  return undefined;
}
