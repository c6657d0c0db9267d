import { expect, it } from 'vitest'
import { parseNodes } from './nodes.js'

/** The labels that a Node has since k3s was started with these options. */
function given(args: string, labels: Readonly<Record<string, string>>): readonly string[] | undefined {
  const metadata = { name: 'bare1', labels, annotations: { 'k3s.io/node-args': args } }
  return parseNodes(JSON.stringify({ items: [{ metadata }] }))[0]?.givenLabels
}

it('tells the labels that k3s was told to give a node, as far as it still has them', () => {
  const args = JSON.stringify(['server', '--node-label', 'disk=ssd', '--node-label=zone=a', '--tls-san', 'x'])
  const has = { disk: 'ssd', zone: 'a', mine: 'yes', 'kubernetes.io/os': 'linux' }
  expect(given(args, has)).toEqual(['disk=ssd', 'zone=a'])
  expect(given(args, { ...has, disk: 'hdd' })).toEqual(['zone=a'])
  expect(given(args, { mine: 'yes' })).toBeUndefined()
  for (const none of ['["server"]', 'none', '{}', '["--node-label"]'])
    expect(given(none, has)).toBeUndefined()
})

it('tells what k3s was told at its last start, whatever the Node has since', () => {
  const asked = (args?: string) => {
    const metadata = { name: 'bare1', ...(args ? { annotations: { 'k3s.io/node-args': args } } : {}) }
    return parseNodes(JSON.stringify({ items: [{ metadata }] }))[0]?.asked
  }
  const args = [
    'agent',
    '--node-label',
    'zone=a',
    '--node-taint=k=v:NoSchedule',
    '--node-taint',
    'x:NoExecute',
  ]
  expect(asked(JSON.stringify(args))).toEqual({
    labels: ['zone=a'],
    taints: ['k=v:NoSchedule', 'x:NoExecute'],
  })
  expect(asked('["server"]')).toEqual({ labels: [], taints: [] })
  expect(asked()).toBeUndefined()
})
