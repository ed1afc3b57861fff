'use strict';
// What is tested: a server that answers with the name of its shop.
const http = require('node:http');

/** Listens on the port, or fails if it is another's. */
function open(name, port) {
  const server = http.createServer((request, response) => response.end(`${name}: ${request.url}`));
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}

module.exports = { open };
