import type { Readable } from 'node:stream'
import { expect, it } from 'vitest'
import { sendMade } from './send-made.js'

/** Makes two pieces, then fails if it is told to. */
async function* twoPieces(failure?: Error): AsyncGenerator<Buffer> {
  yield Buffer.from('one')
  yield Buffer.from('two')
  if (failure) throw failure
}

/** A receiver that says of any cut that the end came too early, as an engine does. */
async function receive(bytes: Readable): Promise<string> {
  try {
    return Buffer.concat(await bytes.toArray()).toString()
  } catch {
    throw new Error('unexpected EOF')
  }
}

it('sends all that is made', async () => {
  let got = ''
  await sendMade(twoPieces(), async (bytes) => {
    got = await receive(bytes)
  })
  expect(got).toBe('onetwo')
})

it('tells what went wrong in the making, not what the receiver says of it', async () => {
  const damaged = new Error('the bundle is damaged')
  const sent = sendMade(twoPieces(damaged), async (bytes) => void (await receive(bytes)))
  await expect(sent).rejects.toBe(damaged)
})

it('tells what the receiver says where the making went well, and makes no more', async () => {
  const full = new Error('no space left')
  let ended = false
  const endless = async function* (): AsyncGenerator<Buffer> {
    try {
      for (;;) yield Buffer.alloc(1024)
    } finally {
      ended = true
    }
  }
  const sent = sendMade(endless(), async (bytes) => {
    await new Promise((resolve) => bytes.once('readable', resolve))
    throw full
  })
  await expect(sent).rejects.toBe(full)
  await expect.poll(() => ended).toBe(true)
})

it('survives a receiver that does not listen for errors', async () => {
  const damaged = new Error('the bundle is damaged')
  const sent = sendMade(
    twoPieces(damaged),
    (bytes) =>
      new Promise((_, reject) => {
        bytes.on('data', () => {})
        bytes.on('close', () => reject(new Error('unexpected EOF')))
      }),
  )
  await expect(sent).rejects.toBe(damaged)
})
