import { readFile } from 'node:fs/promises'

export default defineEventHandler(() => readFile('identity.txt', 'utf8'))
