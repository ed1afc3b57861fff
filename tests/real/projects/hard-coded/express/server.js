const fs = require('node:fs')
const path = require('node:path')
const express = require('express')

const app = express()

app.get('/', (req, res) => {
  res.type('text/plain').send(fs.readFileSync(path.join(__dirname, 'identity.txt')))
})

app.listen(8000, process.argv[2], () => console.log('Example app listening on port 8000'))
