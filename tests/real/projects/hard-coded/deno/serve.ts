// The port is a literal on purpose.
Deno.serve({ port: 8000 }, async () => new Response(await Deno.readTextFile('identity.txt')))
