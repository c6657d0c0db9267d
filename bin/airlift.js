#!/usr/bin/env node
import module from 'node:module'

// Node 22.8 and later keep compiled code between runs; Node 20 has no such function.
try {
  module.enableCompileCache?.()
} catch {
  // A read-only home directory must not stop the tool.
}
// `airlift … | head` closes the pipe early. What is under way on machines must not end half-way for that.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error) => {
    if (error.code !== 'EPIPE') throw error
  })
}
const { main } = await import('../dist/bin/main.js')
process.exitCode = await main(process.argv.slice(2))
