const fs = require('node:fs')
const path = require('node:path')
const express = require('express')

const app = express()
const port = process.env.PORT || 3000

app.get('/', (req, res) => {
  res.type('text/plain').send(fs.readFileSync(path.join(__dirname, 'identity.txt')))
})

app.listen(port, () => {
  console.log(`Example app listening on port ${port}`)
})
