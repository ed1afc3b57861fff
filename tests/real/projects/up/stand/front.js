// The front of the stand: it shows what its API says. Both ports are literals.
const http = require('node:http')

http.createServer(async (request, response) => {
  try {
    response.end(await (await fetch('http://localhost:8000/')).text())
  } catch (error) {
    response.statusCode = 502
    response.end(String(error.cause ?? error))
  }
}).listen(3000, '127.0.0.1')
