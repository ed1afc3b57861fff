// The port is a literal on purpose.
const hostname = Deno.args[0] ?? '0.0.0.0'
Deno.serve({ hostname, port: 8000 }, async () => new Response(await Deno.readTextFile('identity.txt')))
