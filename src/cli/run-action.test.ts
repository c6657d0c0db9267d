import { PassThrough } from 'node:stream'
import { expect, it } from 'vitest'
import { AirliftError } from '../core/errors.js'
import type { CliDeps, OutputFlags } from './io.js'
import { runAction } from './run-action.js'

const output: OutputFlags = { output: 'json', events: false, quiet: false, verbose: 0 }
const deps = {
  env: {},
  stdin: new PassThrough(),
  stdout: new PassThrough(),
  stderr: new PassThrough(),
  createRenderer: async () => ({ onEvent: () => {}, stop: () => {} }),
} as unknown as CliDeps

it('says how to go on after an interruption, also where a machine was interrupted at what it did', async () => {
  const ended = runAction(output, {}, [], deps, async (io) => {
    process.listeners('SIGINT').at(-1)?.('SIGINT')
    expect(io.ctx.signal.aborted).toBe(true)
    throw new AirliftError('E_INTERRUPTED', 'interrupted', { machine: 'root@10.0.0.1' })
  })
  await expect(ended).rejects.toMatchObject({
    code: 'E_INTERRUPTED',
    hint: 'run the same command again: it goes on where it stopped',
  })
})

it('begins nothing where it was interrupted before it could listen', async () => {
  let begun = false
  const ended = runAction(output, {}, [], { ...deps, takeSignal: () => 'SIGTERM' }, async () => {
    begun = true
  })
  await expect(ended).rejects.toMatchObject({ code: 'E_INTERRUPTED', exit: 130 })
  expect(begun).toBe(false)
})
