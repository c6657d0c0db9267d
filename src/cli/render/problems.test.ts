import { expect, it } from 'vitest'
import { problem } from '../../runtime/preflight/problem.js'
import { renderDoctor } from './doctor.js'
import { renderProblems } from './problems.js'
import { plainStyle } from './style.js'

const problems = [
  problem('swap', 'root@a', '1.0 GiB of swap'),
  problem('firewall', 'root@a', 'ufw is on', { fix: 'ufw allow 6443/tcp' }),
  problem('clock-skew', 'root@b', "the clock is 60 minutes ahead of this computer's"),
  problem('nm-cloud-setup', 'root@a', 'nm-cloud-setup is enabled', { fix: 'disable it' }),
  problem('nm-cloud-setup', 'root@b', 'nm-cloud-setup is enabled', { fix: 'disable it' }),
]

it('shows what refuses first, equal problems once, each with its fix', () => {
  expect(renderProblems(problems, { ignore: ['clock-skew'] })).toBe(
    `
         MACHINE         CODE            PROBLEM
refused  root@a, root@b  nm-cloud-setup  nm-cloud-setup is enabled
                                         fix: disable it
ignored  root@b          clock-skew      the clock is 60 minutes ahead of this computer's
                                         fix: Set the clock: chronyc makestep, or date -s
warning  root@a          firewall        ufw is on
                                         fix: ufw allow 6443/tcp`.slice(1),
  )
})

it('shows nothing where there is nothing that matters, and all to doctor', () => {
  expect(renderProblems([problem('swap', 'root@a', '1.0 GiB of swap')])).toBe('')
  expect(renderProblems(problems, { info: true })).toContain('info ')
})

it('ends with how it stands', () => {
  const machine = { machine: 'ssh://root@a:22', name: 'root@a', role: 'master' as const, ok: true }
  const view = { clean: false, ignore: [], style: plainStyle }
  expect(renderDoctor({ ok: true, machines: [machine], problems: [] }, view)).toMatch(
    /ok: 1 machine ready for a cluster$/,
  )
  const report = { ok: false, machines: [{ ...machine, ok: false }, machine], problems: problems.slice(2, 3) }
  expect(renderDoctor(report, view)).toMatch(/refused: 1 problem on 1 of 2 machines$/)
  expect(renderDoctor(report, { ...view, clean: true })).toMatch(
    /^ .*\n(.*\n)+\nnot clean: 1 problem on 1 of 2 machines$/,
  )
  expect(renderDoctor({ ok: true, machines: [], problems: [] }, view)).toBe('ok: this computer is ready')
})
