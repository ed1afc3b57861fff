fetch('/identity.txt')
  .then((answer) => answer.text())
  .then((identity) => {
    document.body.textContent = identity
  })
