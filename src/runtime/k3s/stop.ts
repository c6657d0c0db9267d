import type { ClusterSpec } from '../../cluster/spec.js'
import { type Plan, type Step, summarize } from '../../plan/plan.js'
import type { MachineWorld, StopOptions, World } from '../runtime.js'
import { nodeName } from './config.js'
import { drainSteps } from './drain-steps.js'
import { markReady } from './node-steps.js'
import { OWN_PROGRAMS } from './own-programs.js'
import { STARTING, unitName } from './paths.js'
import { isMember } from './start.js'
import { killallScript } from './template.js'

/** How long the programs of pods may take to end by themselves. */
const GRACE_SECONDS = 10

/**
 * Ends k3s and its pods on every machine at the same time; data, images and configuration stay. Each member of etcd has
 * written to its disk all that it ever confirmed, and members that stop together agree on it when they start together; one
 * that was stopped long before the others would have to be brought up to date. Nothing is stopped before all is drained.
 * Services stay enabled: a host that boots starts its part of the cluster.
 * @throws AirliftError E_REFUSED for `drain` where no master answers
 */
export function planStop(spec: ClusterSpec, world: World, options: StopOptions): Plan {
  const running = world.machines.filter((machine) => isMember(spec, machine) && isRunning(machine))
  const workers = running.filter((machine) => machine.installed.role === 'worker')
  const emptied = workers.map((machine) => ({ node: nodeName(machine), machine: machine.id }))
  const drains = options.drain ? drainSteps(world, emptied, spec.timeoutMs) : []
  const needs = drains.map((step) => step.id)
  const steps = [...drains, ...running.map((machine) => stopStep(machine, world, needs))]
  return { operation: 'stop', name: spec.name, runtime: 'k3s', steps, summary: summarize(steps) }
}

/** Pods outlive the service: both must have ended. */
function isRunning({ installed, facts }: MachineWorld): boolean {
  return installed.active || (facts.managed.fragments['k3s-pods'] ?? '').trim() === 'running'
}

function stopStep(machine: MachineWorld, world: World, needs: readonly string[]): Step {
  const unit = unitName(machine.installed.role ?? machine.node.role)
  return {
    id: `${nodeName(machine)}/stop`,
    machine: machine.id,
    title: `stop ${unit} and its pods`,
    needs,
    effect: 'change',
    actions: [
      ...markReady(machine),
      { kind: 'script', script: stopService(unit), timeoutMs: 60_000 },
      { kind: 'script', script: endPods(), timeoutMs: (GRACE_SECONDS + 20) * 1000 },
      { kind: 'script', script: killallScript(world.templates), timeoutMs: 90_000 },
      { kind: 'script', script: stillThere(unit) },
    ],
  }
}

/** First the service: its kubelet would start again what ends. A unit that does not end in time is killed. */
function stopService(unit: string): string {
  return [
    `rm -f ${STARTING}`,
    'if [ -d /run/systemd/system ]; then',
    `  timeout 20 systemctl stop ${unit}.service || systemctl kill --signal=KILL ${unit}.service`,
    `elif [ -x /etc/init.d/${unit} ]; then rc-service ${unit} stop; fi >&2`,
    ':',
  ].join('\n')
}

/**
 * Asks the programs in pods to end, as the kubelet would, and waits for those that listen to it: a program without a
 * handler for SIGTERM is not waited for, since as the first of its container it would never notice.
 */
function endPods(): string {
  return [
    OWN_PROGRAMS,
    "shims=$(own_programs | sed -n 's/ .*containerd-shim.*//p')",
    '[ -n "$shims" ] || exit 0',
    'below() { for p in "$@"; do for c in $(cat "/proc/$p/task/$p/children" 2>/dev/null || pgrep -P "$p" 2>/dev/null); do echo "$c"; below "$c"; done; done; }',
    // The fourth digit from the end of SigCgt holds signals 13 to 16: 15 is its bit of value 4.
    `listens() { awk '/^State:/ { s = $2 } /^SigCgt:/ { d = substr($2, length($2) - 3, 1) } END { exit !(s != "Z" && d ~ /[4-7c-f]/) }' "/proc/$1/status" 2>/dev/null; }`,
    'all=$(below $shims); waited=',
    'for p in $all; do if listens "$p"; then waited="$waited $p"; fi; done',
    '[ -z "$all" ] || kill -TERM $all 2>/dev/null',
    `end=$(( $(date +%s) + ${GRACE_SECONDS} ))`,
    'while [ "$(date +%s)" -lt "$end" ]; do',
    '  left=; for p in $waited; do if listens "$p"; then left=yes; break; fi; done',
    '  [ -n "$left" ] || break',
    '  nap 0.2',
    'done',
    ':',
  ].join('\n')
}

function stillThere(unit: string): string {
  return [
    `if [ -d /run/systemd/system ]; then case $(systemctl show -p ActiveState --value ${unit}.service 2>/dev/null) in inactive | failed | '') ;; *) fail E_COMMAND 'the service ${unit} does not stop' 'see journalctl -u ${unit} there, then run the same command again' ;; esac; fi`,
    OWN_PROGRAMS,
    "left=$(own_programs | sed -n 's/ .*//p' | head -n 1)",
    `[ -z "$left" ] || fail E_COMMAND "process $left of k3s does not end" 'see what it waits for, then run the same command again'`,
  ].join('\n')
}
