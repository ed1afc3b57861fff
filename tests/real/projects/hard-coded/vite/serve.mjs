// Vite by its own interface. The port is a literal, and no other will do.
import { createServer } from 'vite'

const server = await createServer({
  configFile: false,
  server: { host: process.argv[2] ?? '127.0.0.1', port: 5173, strictPort: true },
})
await server.listen()
server.printUrls()
