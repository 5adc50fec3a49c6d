// A thread that takes all of a processor it can get, between the word to run and the word to stop.
import { workerData as shared } from 'node:worker_threads';

Atomics.add(shared, 0, 1);
Atomics.wait(shared, 1, 0);
while (Atomics.load(shared, 1) === 1);
