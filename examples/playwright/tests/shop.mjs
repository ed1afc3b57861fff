// A server for each test, on a port that nobody else gets.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { test as base } from '@playwright/test';

export const test = base.extend({
  // Where the server of this test is; it is named after the test.
  shop: async ({}, use, info) => {
    const words = ['port', '--', 'node', 'server.mjs', '{port}', info.testId];
    const server = spawn('wharf', words, { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = once(server, 'exit');
    // It says where it is once it listens.
    const said = once(createInterface({ input: server.stdout }), 'line');
    const [url] = await Promise.race([said, ended]);
    if (typeof url !== 'string') throw new Error('the server did not start');
    await use(url);
    server.kill();
    await ended;
  },
});

export { expect } from '@playwright/test';
