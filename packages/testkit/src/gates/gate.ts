import type { Json, Loaded, SourceFile } from '@worldline/air';
import type { KernelWorld } from '../kernel-world.ts';

/** What a gate is given and what it says (`plans.md` §17, `patterns.md` §7). */

/** Each gate and what it proves, in the order in which they run. */
export const GATES = {
  replay: 'live = replayed from genesis = restored from every baseline, byte for byte, at every prefix',
  duplicates: 'an input that comes twice starts one run, sends one effect and settles once',
  'cross-talk': 'of many concurrent requests each gets its own answers and nobody else does',
  'late-losers': 'in a race the first delivery in the journal wins; what comes later changes nothing',
  denials: 'what is denied or breaks an invariant ends as a resolvable error, and the request is settled all the same',
  'fan-out': 'a barrier opens after the last child, whatever became of each',
  crash: 'kill -9 while parked: every wait is there again after the restart, and the run ends as a quiet one does',
} as const;

export type GateName = keyof typeof GATES;
export const GATE_NAMES = Object.keys(GATES) as readonly GateName[];

export interface GateProblem {
  /** Which flow: the schema that requests come in, or the plan. */
  readonly flow: string;
  readonly message: string;
  /** What to look at or to try. */
  readonly hint?: string | undefined;
}

export interface GateReport {
  readonly gate: GateName;
  readonly verdict: 'passed' | 'failed' | 'not_applicable';
  /** What was tried, or why there was nothing to try. */
  readonly what: string;
  /** How often each thing was tried. */
  readonly counts: Readonly<Record<string, number>>;
  /** The first few. */
  readonly problems: readonly GateProblem[];
  /** How many there were. */
  readonly problemCount: number;
  /** Parts of the gate that this world has nothing for, each with the reason. */
  readonly notApplicable: readonly string[];
}

// What a world folder may say in its `gates.json`

/** How the outside answers effects of a kind. */
export interface ReceiptConfig {
  readonly kind: string;
  /** Only effects of this step. */
  readonly step?: string | undefined;
  readonly status?: 'ok' | 'error' | 'timeout' | undefined;
  /** Of the receipt schema, with places to fill: see `templates.ts`. */
  readonly payload?: Json | undefined;
  readonly code?: string | undefined;
}

/** An event that answers a waiting run. What its `where` compares with fixed values is filled in. */
export interface ResponseConfig {
  readonly event: string;
  readonly step?: string | undefined;
  readonly value: Json;
}

export interface FlowConfig {
  /** Schema of the requests, an event that a trigger takes. */
  readonly event?: string | undefined;
  /** Or a plan that is started by hand. */
  readonly plan?: string | undefined;
  /** Path of the request id. */
  readonly id?: string | undefined;
  readonly request?: Json | undefined;
  /** The event that says what became of the request, once. */
  readonly settled?: { readonly event: string; readonly id?: string | undefined } | undefined;
  readonly receipts?: readonly ReceiptConfig[] | undefined;
  readonly responses?: readonly ResponseConfig[] | undefined;
}

export interface GateConfig {
  readonly flows?: readonly FlowConfig[] | undefined;
  /** For every flow that has none of its own for the kind. */
  readonly receipts?: readonly ReceiptConfig[] | undefined;
  readonly responses?: readonly ResponseConfig[] | undefined;
  /** Events that are meant for every run that waits, whatever its request. */
  readonly broadcasts?: readonly string[] | undefined;
}

/** A world folder as it is loaded. */
export interface GateWorld {
  readonly files: readonly SourceFile[];
  readonly loaded: Loaded;
  /** As the host configuration demands. */
  readonly requirePolicy: boolean;
  readonly config: GateConfig;
}

export interface GateOptions {
  /** Default: all. */
  readonly only?: readonly GateName[] | undefined;
  /** Default 1. */
  readonly seed?: number | undefined;
  /**
   * Concurrent requests of `cross-talk` and seeds of `late-losers`; where another gate tries more than that, it tries so
   * many. Default: 1 000 and 10 000.
   */
  readonly count?: number | undefined;
  readonly onProgress?: ((gate: GateName, done: number, total: number) => void) | undefined;
  readonly onReport?: ((report: GateReport) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** For doubles in tests of the gates: another world over the same definitions. */
  readonly open?: ((loaded: Loaded, config: { readonly logical_origin: bigint }) => KernelWorld) | undefined;
  /** For doubles in tests of the gates: called with the folder of the store after each kill. */
  readonly afterKill?: ((storeDir: string, kills: number) => void) | undefined;
}

const PROBLEMS_MAX = 5;

/** Collects what one gate finds. */
export class GateTally {
  readonly gate: GateName;
  readonly #counts = new Map<string, number>();
  readonly #problems: GateProblem[] = [];
  readonly #notApplicable: string[] = [];
  #problemCount = 0;

  constructor(gate: GateName) {
    this.gate = gate;
  }

  count(what: string, n = 1): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + n);
  }

  counted(what: string): number {
    return this.#counts.get(what) ?? 0;
  }

  problem(flow: string, message: string, hint?: string): void {
    this.#problemCount++;
    if (this.#problems.length >= PROBLEMS_MAX || this.#problems.some((one) => one.message === message)) return;
    this.#problems.push({ flow, message, ...(hint === undefined ? {} : { hint }) });
  }

  get problemCount(): number {
    return this.#problemCount;
  }

  /** A part of the gate that there is nothing for. */
  skip(reason: string): void {
    if (!this.#notApplicable.includes(reason)) this.#notApplicable.push(reason);
  }

  /** @param tried - whether anything was tried at all. */
  report(tried: boolean): GateReport {
    const verdict = this.#problemCount > 0 ? 'failed' : tried ? 'passed' : 'not_applicable';
    const counts = Object.fromEntries(this.#counts);
    const what =
      verdict === 'not_applicable'
        ? this.#notApplicable.join('; ')
        : [...this.#counts].map(([name, n]) => `${n} ${name}`).join(', ');
    return {
      gate: this.gate,
      verdict,
      what,
      counts,
      problems: this.#problems,
      problemCount: this.#problemCount,
      notApplicable: this.#notApplicable,
    };
  }
}
