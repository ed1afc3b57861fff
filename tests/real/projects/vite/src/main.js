import { greeting } from './greeting.js'

const answer = await fetch('/identity.txt')
const identity = await answer.text()
const show = (greeting) => {
  document.querySelector('#app').textContent = `${greeting}, ${identity}`
}

show(greeting)
import.meta.hot?.accept('./greeting.js', (fresh) => show(fresh.greeting))
