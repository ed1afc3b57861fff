// What is tested: a page that counts, and knows which server it came from.
import http from 'node:http';

const [port, name] = process.argv.slice(2);
const page = `<!doctype html><title>${name}</title>
<button onclick="this.textContent = Number(this.textContent) + 1">0</button>`;

const server = http.createServer((request, response) => {
  response.setHeader('content-type', 'text/html');
  response.end(page);
});
server.listen(Number(port), '127.0.0.1', () => console.log(`http://127.0.0.1:${port}/`));
