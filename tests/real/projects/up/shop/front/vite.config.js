import { defineConfig } from 'vite'

// The API names this port itself.
export default defineConfig({ server: { proxy: { '/api': 'http://localhost:8000' } } })
