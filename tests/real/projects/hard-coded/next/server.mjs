// A custom server, as Next.js documents it. The port is a literal.
import { createServer } from 'node:http'
import next from 'next'

const app = next({ dev: true, hostname: 'localhost', port: 3000 })
const handle = app.getRequestHandler()

await app.prepare()
createServer((request, response) => handle(request, response)).listen(3000, process.argv[2])
