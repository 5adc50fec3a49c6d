import type { LeaseTimes } from '@worldline/host';
import { type FailpointRule, failpointModule, failpoints } from '@worldline/testkit';
import { type Composition, main } from 'worldline';

/** The `worldline` program with the times and failpoints of a test: `<settings> <command line…>`. */
export interface DaemonSettings {
  readonly leaseTimes?: LeaseTimes;
  readonly hostRules?: readonly FailpointRule[];
  readonly storeRules?: readonly FailpointRule[];
}

const [given, ...argv] = process.argv.slice(2);
const { leaseTimes, hostRules, storeRules } = JSON.parse(given!) as DaemonSettings;
const composition: Composition = {
  leaseTimes,
  failpoints: hostRules && failpoints(hostRules),
  storeFailpoints: storeRules && failpointModule(storeRules),
};
await main(argv, composition);
