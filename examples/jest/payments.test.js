'use strict';
const { leasePort, releasePort } = require('./leased-port');
const shop = require('./shop');

let port;
let server;

beforeEach(async () => {
  port = leasePort();
  server = await shop.open('payments', port);
});

afterEach(async () => {
  await new Promise((closed) => server.close(closed));
  releasePort(port);
});

test.each([1, 2, 3, 4])('the shop of payments answers for number %i', async (number) => {
  const answer = await fetch(`http://127.0.0.1:${port}/${number}`, { headers: { connection: 'close' } });
  expect(await answer.text()).toBe(`payments: /${number}`);
});
