import { describe, expect, it } from 'vitest'
import type { ExecMachine } from '../../operations/exec.js'
import { renderExec } from './exec.js'
import { plainStyle } from './style.js'

const style = { out: plainStyle, err: plainStyle }
const machine = (node: string, parts: Partial<ExecMachine> = {}): ExecMachine => ({
  machine: `ssh://root@${node}:22`,
  node,
  role: 'worker',
  exitCode: 0,
  stdout: '',
  stderr: '',
  error: null,
  ...parts,
})

describe('renderExec', () => {
  it('shows identical outputs once, below their hosts', () => {
    const machines = [
      machine('bare1', { stdout: 'Linux\n' }),
      machine('bare2', { stdout: 'Other\n' }),
      machine('bare3', { stdout: 'Linux\n' }),
    ]
    expect(renderExec(machines, style)).toEqual({
      out: '== bare1, bare3 (2 machines)\nLinux\n== bare2\nOther',
      err: '',
    })
  })
  it('prints one machine without a heading', () => {
    expect(renderExec([machine('bare1', { stdout: 'a\n\nb\n' })], style)).toEqual({ out: 'a\n\nb', err: '' })
  })
  it('sends stderr, exit codes and errors to stderr', () => {
    const machines = [
      machine('bare1', { stdout: 'half\n', stderr: 'oh\n', exitCode: 7 }),
      machine('bare2', {
        exitCode: null,
        error: { code: 'E_SSH_LOST', message: 'the connection was lost', hint: 'try again' },
      }),
      machine('bare3'),
    ]
    expect(renderExec(machines, style)).toEqual({
      out: '== bare1\nhalf\n== bare3',
      err: '== bare1\noh\nexit code 7\n== bare2\nerror: the connection was lost [E_SSH_LOST]\nhint: try again',
    })
  })
})
