import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { SHELLS } from '../shells.fixture.js'
import { firewallSection } from './probe/firewall.js'
import { preludeSection } from './probe/prelude.js'

describe.each(SHELLS)('a firewall, under %s', (program, ...args) => {
  /** What is told where `iptables -S INPUT` and `nft list ruleset` print these texts; nftables is started by OpenRC. */
  function firewalls(prints: { readonly iptables?: string; readonly nft?: string }): string[] {
    const dir = mkdtempSync(join(tmpdir(), 'airlift-wall-'))
    const tool = (name: string, text: string, version = ''): void => {
      writeFileSync(join(dir, `${name}.txt`), `${text}\n`)
      const show = version ? `case $1 in -V) echo '${version}'; exit ;; esac\n` : ''
      writeFileSync(join(dir, name), `#!/bin/sh\n${show}cat ${dir}/${name}.txt\n`)
      chmodSync(join(dir, name), 0o755)
    }
    tool('iptables', prints.iptables ?? '-P INPUT ACCEPT', 'iptables v1.8.9 (nf_tables)')
    tool('nft', prints.nft ?? '')
    // Nothing of this computer's own.
    tool('systemctl', '')
    mkdirSync(join(dir, 'nf_tables'))
    if (prints.nft !== undefined) spawnSync('ln', ['-s', '/etc/init.d/nftables', join(dir, 'nftables')])
    const script = [preludeSection('fence'), 'daemons=', firewallSection]
      .join('\n')
      .replaceAll('/sys/module/nf_tables', join(dir, 'nf_tables'))
      .replaceAll('/run/openrc/started', dir)
      .replaceAll('/etc/ufw/ufw.conf', join(dir, 'ufw.conf'))
    const { stdout } = spawnSync(program, [...args, '-c', script], {
      encoding: 'utf8',
      env: { ...process.env, PATH: `${dir}:${process.env.PATH}` },
    })
    rmSync(dir, { recursive: true })
    return stdout.split('\n').flatMap((line) => /^firewall\t(.*)$/.exec(line)?.[1] ?? [])
  }

  it.each([
    ['-P INPUT DROP'],
    ['-A INPUT -j DROP'],
    ['-A INPUT -j REJECT --reject-with icmp-host-prohibited'],
    ['-A INPUT ! -i lo -j DROP'],
    ['-A INPUT -m comment --comment "all the rest" -j REJECT --reject-with icmp-port-unreachable'],
  ])('of iptables is seen by %s', (line) => {
    const text = `-P INPUT ACCEPT\n-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n${line}`
    expect(firewalls({ iptables: text })).toEqual(['iptables'])
  })

  it.each([
    ['-A INPUT -s 192.0.2.7/32 -j REJECT --reject-with icmp-port-unreachable'],
    ['-A INPUT -m conntrack --ctstate INVALID -j DROP'],
    ['-A INPUT -m comment --comment "bad" -m conntrack --ctstate INVALID -j DROP'],
    ['-A INPUT -j DROPLIST'],
  ])('is not seen where iptables refuses a part only: %s', (line) => {
    expect(firewalls({ iptables: `-P INPUT ACCEPT\n${line}` })).toEqual([])
  })

  const chain = (policy: string, ...rules: string[]): string =>
    [
      'table inet filter {',
      '\tchain input {',
      `\t\ttype filter hook input priority filter; policy ${policy};`,
      '\t\ttcp dport { 22, 80 } accept',
      '\t\tct state invalid counter packets 0 bytes 0 drop',
      ...rules.map((rule) => `\t\t${rule}`),
      '\t}',
      '\tchain forward {',
      '\t\ttype filter hook forward priority filter; policy drop;',
      '\t\tdrop',
      '\t}',
      '}',
    ].join('\n')

  it.each([
    [chain('drop')],
    [chain('accept', 'counter packets 3 bytes 180 reject with icmpx admin-prohibited')],
    [chain('accept', 'iifname != "lo" drop')],
    [chain('accept', 'log prefix "refused: " drop')],
  ])('of nftables is seen by its policy or its closing rule', (text) => {
    expect(firewalls({ nft: text })).toEqual(['nftables'])
  })

  it('is not seen where nftables lets in what no rule refuses', () => {
    expect(firewalls({ nft: chain('accept', 'ip saddr 192.0.2.7 drop') })).toEqual([])
  })
})
