// The port is a literal on purpose: this program looks at no variable and no flag.
const fs = require('node:fs')
const http = require('node:http')
const path = require('node:path')

const server = http.createServer((request, response) => {
  response.end(fs.readFileSync(path.join(__dirname, 'identity.txt')))
})

server.listen(4555, () => console.log('listening on port 4555'))
