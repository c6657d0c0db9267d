#!/usr/bin/env node
import { loadMain } from './load-main.js'

// `airlift … | head` closes the pipe early. What is under way on machines must not end half-way for that.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error) => {
    if (error.code !== 'EPIPE') throw error
  })
}
// Until the command listens for them itself, what it is told is held: it would end without a word, and without its JSON.
let held
const hold = (signal) => {
  held = signal
}
process.on('SIGINT', hold)
process.on('SIGTERM', hold)
const takeSignal = () => {
  process.off('SIGINT', hold)
  process.off('SIGTERM', hold)
  return held
}
const argv = process.argv.slice(2)
const { main, keep } = loadMain(/^[a-z]+$/.test(argv[0] ?? '') ? argv[0] : '')
process.exitCode = await main(argv, { takeSignal })
if (process.exitCode === 0) keep()
