// node --require cpu-at-exit.cjs …: at its end the process says on standard error how many microseconds its threads computed,
// and the most memory it had.
'use strict';

const { writeSync } = require('node:fs');

process.on('exit', () => {
  const { user, system } = process.cpuUsage();
  writeSync(2, `\ncpu_us ${user + system}\nmax_rss_kib ${process.resourceUsage().maxRSS}\n`);
});
