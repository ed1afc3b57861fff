export const greeting = 'Welcome'
