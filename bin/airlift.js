#!/usr/bin/env node
import module from 'node:module'

// Node 22.8 and later keep compiled code between runs; Node 20 has no such function.
try {
  module.enableCompileCache?.()
} catch {
  // A read-only home directory must not stop the tool.
}
const { main } = await import('../dist/cli/main.js')
process.exitCode = await main(process.argv.slice(2))
