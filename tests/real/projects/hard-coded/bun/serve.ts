// The port is a literal on purpose.
Bun.serve({
  port: 8000,
  fetch: () => new Response(Bun.file('identity.txt')),
})
