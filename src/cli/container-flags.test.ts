import { Command } from 'commander'
import { expect, it } from 'vitest'
import { addContainerFlags } from './container-flags.js'

it('a command that adds nodes lists what the whole cluster has under a heading of its own', () => {
  const help = addContainerFlags(new Command('add'), { joining: true }).helpInformation()
  const [before = '', after = ''] = help.split(/^Containers, as the whole cluster has it .*:$/m)
  const flags = (text: string): string[] =>
    [...text.matchAll(/^ +(?:-p, )?(--[\w-]+)/gm)].map(([, flag]) => flag ?? '')
  expect(flags(before)).toEqual(
    expect.arrayContaining(['--env', '--volume', '--k3s-arg', '--memory', '--ca', '--keep']),
  )
  expect(flags(after).sort()).toEqual([
    ...['--api-port', '--dns', '--gpus', '--host-alias', '--image', '--ingress', '--ip-family', '--network'],
    ...['--no-lb', '--subnet', '--ulimit'],
  ])
  expect(addContainerFlags(new Command('run')).helpInformation()).not.toContain('as the whole cluster has it')
})
