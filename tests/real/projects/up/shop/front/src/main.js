const form = document.querySelector('form')
const shown = document.querySelector('#shown')

const show = async () => {
  const answer = await fetch('/api/items')
  const { name, items } = answer.ok ? await answer.json() : {}
  shown.textContent = name ? `${name} sees: ${items.join(', ')}` : `logged out (${answer.status})`
}

form.addEventListener('submit', async (event) => {
  event.preventDefault()
  await fetch('/api/login', { method: 'POST', body: new URLSearchParams(new FormData(form)) })
  await show()
})

show()
