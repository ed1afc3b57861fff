import { greeting } from './greeting'

fetch('/identity.txt')
  .then((answer) => answer.text())
  .then((identity) => {
    const show = () => {
      document.body.textContent = `${greeting}, ${identity}`
    }
    show()
    module.hot?.accept('./greeting', show)
  })
