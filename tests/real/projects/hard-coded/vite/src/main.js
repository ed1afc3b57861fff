const answer = await fetch('/identity.txt')
document.querySelector('#app').textContent = await answer.text()
