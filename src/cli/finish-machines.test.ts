import { describe, expect, it } from 'vitest'
import { endOf, type MachineEnd } from './finish-machines.js'

const good: MachineEnd = { machine: 'ssh://root@10.0.0.1:22', node: 'bare1', error: null }
const failed = (code: string, message = 'no', hint: string | null = null): MachineEnd => ({
  ...good,
  machine: 'ssh://root@10.0.0.2:22',
  error: { code, message, hint },
})

describe('the end of a command that does the same on several machines', () => {
  it('is 0 and has no error where all is done', () => {
    expect(endOf([good, { ...good, exitCode: 0 }])).toEqual({ exit: 0 })
  })

  it('is partial where some failed, with the remedy of the first', () => {
    expect(endOf([good, failed('E_SSH_LOST', 'gone', 'look at it')])).toEqual({
      exit: 3,
      error: { code: 'E_PARTIAL', message: '1 of 2 machines failed', hint: 'look at it', machine: null },
    })
  })

  it('is the error of the only machine, by its id', () => {
    expect(endOf([failed('E_SUDO', 'cannot use sudo', 'allow it')])).toEqual({
      exit: 1,
      error: {
        code: 'E_SUDO',
        message: 'cannot use sudo',
        hint: 'allow it',
        machine: 'ssh://root@10.0.0.2:22',
      },
    })
  })

  it('is that of a program which ended with another code than 0', () => {
    expect(endOf([{ ...good, exitCode: 7 }])).toMatchObject({
      exit: 1,
      error: { code: 'E_COMMAND', message: 'the command ended with 7' },
    })
  })

  it('is 4 where the time was up on every machine, and 1 where something else failed too', () => {
    const late = failed('E_TIMEOUT', 'did not end within 1 s')
    expect(endOf([late, late])).toMatchObject({
      exit: 4,
      error: { code: 'E_TIMEOUT', message: 'all 2 machines failed: did not end within 1 s' },
    })
    expect(endOf([late, failed('E_SSH_LOST')])).toMatchObject({ exit: 1, error: { code: 'E_COMMAND' } })
    expect(endOf([late, good]).exit).toBe(3)
  })
})
