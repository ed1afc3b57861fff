// The front of the shop. Its own port and that of the API are literals.
const http = require('node:http')

const api = async () => (await fetch('http://localhost:8000/')).text()

const page = (text) => `<!doctype html>
<title>shop</title>
<p id="server">server: ${text}</p>
<p id="page">nothing yet</p>
<script>
  fetch('/api').then((answer) => answer.text()).then((text) => {
    document.getElementById('page').textContent = 'page: ' + text
  })
</script>
`

http.createServer(async (request, response) => {
  try {
    const text = await api()
    const isApi = request.url === '/api'
    response.setHeader('content-type', isApi ? 'text/plain' : 'text/html')
    response.end(isApi ? text : page(text))
  } catch (error) {
    response.statusCode = 502
    response.end(String(error.cause ?? error))
  }
}).listen(3000, '127.0.0.1')
