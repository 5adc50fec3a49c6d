import { type Catalog, loadStored, type PlanDef } from '@worldline/air';
import { bytesEqual, type CborValue, hashText, sha256, toHex } from '@worldline/canon';
import type { StoredObject } from './batch.ts';
import type { WorldConfig } from './config.ts';
import { type Emission, encodeEmission } from './emission.ts';
import { EmissionIndex } from './emission-index.ts';
import { KernelFault } from './fault.ts';
import { IdIndex } from './id-index.ts';
import { IngressMemory } from './ingress-memory.ts';
import type { Definition, Instance } from './instance.ts';
import { decodeInstance, encodeInstance } from './instance-node.ts';
import { programOf } from './program.ts';
import { type RecentPlanResult, Ring, type SettledReceipt } from './recent.ts';
import type { UndoLog } from './undo.ts';
import { type Wait, WaitIndex } from './wait-index.ts';

/** Content-addressed objects, read synchronously. A missing one is a world fault (`kernel.md` §16). */
export interface ObjectSource {
  get(hash: Uint8Array): Uint8Array | undefined;
}

/** An instance in memory, or the hash of its stored node until something is delivered to it (D7). */
export interface InstanceSlot {
  instance: Instance | undefined;
  hash: Uint8Array | undefined;
}

/** How many settled receipts and plan results a world remembers (`kernel.md` §2). */
export const RECEIPTS_RECENT = 512;
export const PLAN_RESULTS_RECENT = 256;

/** S, the world state (`kernel.md` §2). Changed only through an `UndoLog`. */
export class WorldState {
  readonly objects: ObjectSource;
  catalog: Catalog;
  config: WorldConfig;
  configHash: Uint8Array;
  logicalNowNs = 0n;
  lastNowNs = 0n;
  height = 0;
  chain: Uint8Array;
  /** Inbox cursor after the last batch; a fact of the journal, not of a snapshot. */
  cursor: Uint8Array = new Uint8Array(0);
  nextPlanId = 0;
  nextWaitId = 0;
  plans: IdIndex<InstanceSlot>;
  waits: WaitIndex;
  emissions: EmissionIndex;
  receiptsRecent = new Ring<SettledReceipt>(RECEIPTS_RECENT);
  planResults = new Ring<RecentPlanResult>(PLAN_RESULTS_RECENT);
  ingressMemory = new IngressMemory((hash) => this.read(hash));
  /** Ascending by bytes. */
  pinnedRoots: readonly Uint8Array[] = [];
  readonly #catalogs = new Map<string, Catalog>();
  readonly #definitions = new Map<Catalog, Map<string, Definition>>();
  /** Slots of the instances in memory. */
  readonly resident = new Map<number, InstanceSlot>();
  #uses = 0;
  /** Nodes that a snapshot needs and that are not known to be stored. */
  readonly unsaved = new Map<string, StoredObject>();

  constructor(objects: ObjectSource, catalog: Catalog, config: WorldConfig, configHash: Uint8Array, chain: Uint8Array) {
    this.objects = objects;
    this.catalog = catalog;
    this.config = config;
    this.configHash = configHash;
    this.chain = chain;
    this.plans = new IdIndex<InstanceSlot>(this.encodeSlot);
    this.emissions = new EmissionIndex(this.encodeEmissionLeaf);
    this.waits = new WaitIndex();
    this.#catalogs.set(toHex(catalog.manifestHash), catalog);
  }

  /** Remembers a node for the next snapshot. */
  readonly put = (bytes: Uint8Array): Uint8Array => {
    const hash = sha256(bytes);
    this.unsaved.set(toHex(hash), { hash, bytes });
    return hash;
  };

  /** Leaf value of the id index over emissions. */
  readonly encodeEmissionLeaf = (emission: Emission): CborValue => this.put(encodeEmission(emission));

  /** Leaf value of the id index over instances: the hash of the node, written when it changed. */
  readonly encodeSlot = (slot: InstanceSlot): CborValue => {
    const instance = slot.instance;
    if (instance === undefined) return slot.hash!;
    if (instance.nodeHash === undefined) {
      instance.nodeHash = this.put(encodeInstance(instance, this.definitionOf(instance).plan));
    }
    return instance.nodeHash;
  };

  /** Takes over indexes that were loaded from a snapshot. */
  adopt(indexes: Pick<WorldState, 'plans' | 'emissions' | 'waits'>): void {
    Object.assign(this, indexes);
  }

  /** A manifest that is active or that an instance pins. */
  catalogFor(manifestHash: Uint8Array): Catalog {
    const active = this.catalog.manifestHash;
    if (manifestHash === active || bytesEqual(manifestHash, active)) return this.catalog;
    const key = toHex(manifestHash);
    let catalog = this.#catalogs.get(key);
    if (catalog === undefined) {
      const loaded = loadStored(manifestHash, (hash) => this.objects.get(hash));
      if (!loaded.ok) {
        throw new KernelFault(
          'object.corrupt',
          `manifest ${hashText(manifestHash)}: ${loaded.failure[0]?.code ?? 'unreadable'}`,
        );
      }
      catalog = loaded.value;
      this.#catalogs.set(key, catalog);
    }
    return catalog;
  }

  planOf(manifestHash: Uint8Array, name: string): PlanDef {
    const plan = this.catalogFor(manifestHash).plans.get(name);
    if (plan === undefined)
      throw new KernelFault('state.impossible', `plan ${name} is not in ${hashText(manifestHash)}`);
    return plan.def;
  }

  /** What the instance is pinned to. */
  definitionOf(instance: Instance): Definition {
    if (instance.definition !== undefined) return instance.definition;
    const catalog = this.catalogFor(instance.manifestHash);
    let known = this.#definitions.get(catalog);
    if (known === undefined) {
      known = new Map();
      this.#definitions.set(catalog, known);
    }
    let definition = known.get(instance.name);
    if (definition === undefined) {
      const plan = this.planOf(instance.manifestHash, instance.name);
      definition = { catalog, plan, program: programOf(plan) };
      known.set(instance.name, definition);
    }
    instance.definition = definition;
    return definition;
  }

  /** The live instance, loaded from its node when it was idle. */
  instance(planId: number): Instance | undefined {
    const resident = this.resident.get(planId);
    if (resident !== undefined) return resident.instance;
    const slot = this.plans.get(planId);
    if (slot === undefined) return undefined;
    const bytes = this.read(slot.hash!);
    slot.instance = decodeInstance(bytes, (manifestHash, name) => this.planOf(manifestHash, name));
    slot.instance.nodeHash = slot.hash;
    slot.instance.usedAt = ++this.#uses;
    this.resident.set(planId, slot);
    return slot.instance;
  }

  /**
   * Drops instances from memory, least recently used first, until `max` remain. Only those whose node is stored can
   * go; nothing observable depends on it (`journal.md` §6.1).
   */
  releaseIdle(max: number): void {
    this.waits.releaseNodes(this.lookup);
    const surplus = this.resident.size - max;
    if (surplus <= 0) return;
    const idle: { readonly instance: Instance; readonly slot: InstanceSlot }[] = [];
    for (const slot of this.resident.values()) {
      const { instance } = slot;
      if (instance?.nodeHash !== undefined) idle.push({ instance, slot });
    }
    idle.sort((a, b) => a.instance.usedAt - b.instance.usedAt);
    for (const { instance, slot } of idle.slice(0, surplus)) {
      slot.hash = instance.nodeHash;
      slot.instance = undefined;
      this.resident.delete(instance.id);
    }
    this.plans.release(this.lookup, readSlot);
    this.waits.release(this.lookup, (planId) => this.resident.has(planId));
  }

  /** Bytes of a stored node. @throws KernelFault `object.missing`, or `object.corrupt` when they are others. */
  read(hash: Uint8Array): Uint8Array {
    const bytes = this.lookup(hash);
    if (bytes === undefined) throw new KernelFault('object.missing', hashText(hash));
    if (!bytesEqual(sha256(bytes), hash)) throw new KernelFault('object.corrupt', `${hashText(hash)} has other bytes`);
    return bytes;
  }

  /** As `read`, for readers that check what they get. */
  readonly lookup = (hash: Uint8Array): Uint8Array | undefined =>
    this.objects.get(hash) ?? this.unsaved.get(toHex(hash))?.bytes;

  /** Marks an instance's node as changed and the instance as recently used. */
  touch(instance: Instance, undo: UndoLog): void {
    instance.usedAt = ++this.#uses;
    // Without a hash it changed before, and the index knows.
    if (instance.nodeHash === undefined) return;
    instance.touch(undo);
    this.plans.set(instance.id, this.resident.get(instance.id)!);
  }

  addInstance(instance: Instance, undo: UndoLog): void {
    const slot: InstanceSlot = { instance, hash: undefined };
    instance.usedAt = ++this.#uses;
    hold(this, instance.id, slot);
    undo.log(drop, this, instance.id, slot);
  }

  removeInstance(instance: Instance, undo: UndoLog): void {
    const slot = this.resident.get(instance.id)!;
    drop(this, instance.id);
    undo.log(hold, this, instance.id, slot);
  }

  addWait(wait: Wait, undo: UndoLog): void {
    this.waits.add(wait);
    undo.log(removeWait, this.waits, wait, undefined);
  }

  removeWait(wait: Wait, undo: UndoLog): void {
    this.waits.remove(wait);
    undo.log(addWait, this.waits, wait, undefined);
  }

  /** @param replaced - the pending emission that this one takes the place of. */
  setEmission(emission: Emission, replaced: Emission | undefined, undo: UndoLog): void {
    this.emissions.set(emission);
    if (replaced === undefined) undo.log(deleteEmission, this.emissions, emission, undefined);
    else undo.log(setEmission, this.emissions, replaced, undefined);
  }

  removeEmission(emission: Emission, undo: UndoLog): void {
    this.emissions.delete(emission);
    undo.log(setEmission, this.emissions, emission, undefined);
  }
}

/** The slot of an idle instance, from a leaf of the index. */
export function readSlot(hash: CborValue): InstanceSlot {
  return { instance: undefined, hash: hash as Uint8Array };
}

// Changes and their inverses, as an undo log takes them.

function hold(state: WorldState, planId: number, slot: InstanceSlot): void {
  state.plans.set(planId, slot);
  state.resident.set(planId, slot);
}

function drop(state: WorldState, planId: number): void {
  state.plans.delete(planId);
  state.resident.delete(planId);
}

function addWait(waits: WaitIndex, wait: Wait): void {
  waits.add(wait);
}

function removeWait(waits: WaitIndex, wait: Wait): void {
  waits.remove(wait);
}

function setEmission(emissions: EmissionIndex, emission: Emission): void {
  emissions.set(emission);
}

function deleteEmission(emissions: EmissionIndex, emission: Emission): void {
  emissions.delete(emission);
}
