// The port is a literal on purpose.
Bun.serve({
  port: 8000,
  hostname: Bun.argv[2],
  fetch: () => new Response(Bun.file('identity.txt')),
})
