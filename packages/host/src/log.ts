import type { Logger } from '@worldline/ports';

export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} };
