// The port is a literal on purpose: this program looks at no variable and no flag.
const fs = require('node:fs')
const http = require('node:http')
const path = require('node:path')

const server = http.createServer((request, response) => {
  response.end(fs.readFileSync(path.join(__dirname, 'identity.txt')))
})

const address = process.argv[2] // without one: all of both families

server.listen(3000, address, () => console.log('listening on port 3000'))
