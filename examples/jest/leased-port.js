'use strict';
// A port that nobody else gets, in whatever worker or suite.
const { execFileSync } = require('node:child_process');

/** Leases a port for a minute, which is time enough for a server to take it. */
function leasePort() {
  return Number(execFileSync('wharf', ['port'], { encoding: 'utf8' }));
}

/** Gives it back. */
function releasePort(port) {
  execFileSync('wharf', ['release', String(port)], { stdio: 'pipe' });
}

module.exports = { leasePort, releasePort };
