import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'

const page = readFileSync(join(import.meta.dirname, '../../docs/coming-from-k3d.md'), 'utf8')
/** The first column of every table: what is k3d's. */
const theirs = page.split('\n').flatMap((line) => /^\| (.*?) \| /.exec(line)?.[1] ?? [])
const ofCreate = page.slice(
  page.indexOf('## Options of `cluster create`'),
  page.indexOf('## Options of other'),
)

/** The commands of k3d 5.9 with their options, as its source has them (cmd/); those that are hidden too. */
const K3D: Readonly<Record<string, string>> = {
  'cluster delete': 'all config',
  'cluster start': 'all wait timeout',
  'cluster stop': 'all',
  'cluster restart': 'all wait timeout',
  'cluster list': 'no-headers token output',
  'cluster edit': 'port-add port-delete',
  'node create':
    'replicas role cluster image memory wait timeout runtime-label runtime-ulimit k3s-node-label network token k3s-arg',
  'node delete': 'all registries',
  'node edit': 'port-add port-delete',
  'node list': 'no-headers output',
  'node start': '',
  'node stop': '',
  'image import': 'cluster keep-tarball keep-tools mode',
  'kubeconfig get': 'all',
  'kubeconfig merge': 'output kubeconfig-merge-default update kubeconfig-switch-context overwrite all',
  'registry create':
    'cluster image port volume default-network proxy-remote-url proxy-username proxy-password no-help delete-enabled enforce-port-match',
  'registry delete': 'all',
  'registry list': 'no-headers output',
  'registry start': '',
  'registry stop': '',
  'config init': 'output force',
  'config migrate': '',
  version: 'output version',
  'version list': 'include exclude format output sort limit',
  completion: '',
  'runtime-info': '',
  'debug loadbalancer get-config': '',
}
const CREATE =
  'config api-port env volume port k3s-node-label runtime-label runtime-ulimit registry-create enforce-registry-port-match host-alias k3s-arg servers agents image network subnet token wait timeout kubeconfig-update-default kubeconfig-switch-context no-lb no-rollback gpus servers-memory agents-memory host-pid-mode no-image-volume registry-use registry-config lb-config-override'
const words = (text: string): string[] => text.split(' ').filter(Boolean)
const has = (text: string, option: string): boolean => new RegExp(`--${option}(?![-a-z])`).test(text)

it.each(Object.keys(K3D))('k3d %s has its place in docs/coming-from-k3d.md', (command) => {
  const [group = '', name] = command.split(/ (?=[^ ]+$)/)
  expect(
    theirs.some((cell) => cell.includes(command) || (cell.includes(group) && cell.includes(`\`${name}`))),
  ).toBe(true)
})

it.each(
  Object.entries(K3D).flatMap(([command, options]) => words(options).map((option) => [command, option])),
)('k3d %s --%s has its place there', (command = '', option = '') => {
  const cells = theirs.filter(
    (cell) => cell.includes(command) || cell.includes(`\`${command.split(' ').at(-1)} `),
  )
  expect(cells.filter((cell) => has(cell, option))).not.toEqual([])
})

it.each(words(CREATE))('k3d cluster create --%s has its place there', (option) => {
  expect(has(ofCreate, option)).toBe(true)
})

it.each(words('verbose trace timestamps'))('--%s of every command of k3d has its place there', (option) => {
  expect(theirs.some((cell) => has(cell, option))).toBe(true)
})
