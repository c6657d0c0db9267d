import pLimit from 'p-limit'
import type { Role } from '../cluster/spec.js'
import type { Context } from '../core/context.js'
import { AirliftError, toAirliftError } from '../core/errors.js'
import type { Machine } from '../machine/machine.js'
import { quote } from '../machine/quote.js'
import { type CopySource, openCopySource } from './copy-source.js'
import { type MachineSelection, selectMachines } from './select-machines.js'
import type { OperationDeps } from './session.js'

/** What `copy` is asked for. */
export interface CopyInput {
  readonly selection: MachineSelection
  /** A file or directory on this computer. */
  readonly source: string
  /** Absolute path on the machines. With a slash at its end, or where it is a directory, a file goes into it. */
  readonly target: string
}

/** How the copy ended on one machine. */
export interface CopyMachine {
  readonly machine: string
  readonly node: string
  readonly role: Role
  /** Where it is now. */
  readonly path: string
  readonly error: { readonly code: string; readonly message: string; readonly hint: string | null } | null
}

/** How the copy ended. */
export interface CopyResult {
  readonly operation: 'copy'
  readonly outcome: 'done' | 'partial' | 'failed'
  readonly name: string
  readonly bytesSent: number
  readonly machines: readonly CopyMachine[]
}

/**
 * Copies a file or a directory to machines, as root. Every file is verified by its digest and renamed into place; modes
 * are kept. The files of a directory are added to those that the target holds.
 * @throws AirliftError E_LOCAL_FILE, E_USAGE, E_NO_CLUSTER, E_HOST_INVALID, E_INTERRUPTED
 */
export async function copy(input: CopyInput, ctx: Context, deps: OperationDeps): Promise<CopyResult> {
  if (!input.target.startsWith('/')) {
    throw new AirliftError('E_USAGE', `"${input.target}" is not an absolute path`, {
      hint: 'give the place on the machines from the root: /etc/example.conf',
    })
  }
  const source = await openCopySource(input.source)
  await using selected = await selectMachines(input.selection, ctx, deps)
  const limit = pLimit(ctx.limits.uploads)
  const machines = await Promise.all(
    selected.machines.map((one) =>
      limit(async (): Promise<CopyMachine> => {
        const about = { machine: one.id, node: one.node, role: one.role }
        try {
          if (!one.machine) throw one.error ?? new AirliftError('E_SSH_LOST', `${one.node} is not connected`)
          return { ...about, path: await copyTo(one.machine, source, input.target, ctx), error: null }
        } catch (thrown) {
          const { code, message, hint = null } = toAirliftError(thrown)
          return { ...about, path: input.target, error: { code, message, hint } }
        }
      }),
    ),
  )
  ctx.signal.throwIfAborted()
  const good = machines.filter((machine) => !machine.error).length
  let bytesSent = 0
  for (const { machine } of selected.machines) bytesSent += machine?.stats.bytesSent ?? 0
  return {
    operation: 'copy',
    outcome: good === machines.length ? 'done' : good === 0 ? 'failed' : 'partial',
    name: selected.name,
    bytesSent,
    machines,
  }
}

async function copyTo(machine: Machine, source: CopySource, target: string, ctx: Context): Promise<string> {
  const { signal } = ctx
  const trimmed = target.replace(/(?<=.)\/+$/, '')
  if (source.kind === 'file') {
    const path = await fileTarget(machine, source, target, trimmed, ctx)
    await machine.put({ ...source.put, path, signal })
    return path
  }
  const archive = `${trimmed === '/' ? '' : trimmed}.airlift-copy.tar`
  await machine.put({ ...source.put, path: archive, mode: '0600', signal })
  const result = await machine.run(unpackScript(archive, trimmed, source.put.mode), {
    signal,
    timeoutMs: 600_000,
  })
  if (result.exitCode !== 0) {
    throw new AirliftError(
      'E_COMMAND',
      `cannot unpack into ${trimmed}: ${result.stderr.trim().split('\n').at(-1)}`,
      {
        machine: machine.name,
        hint: 'check that the place can be written and that tar is installed there',
      },
    )
  }
  return trimmed
}

/** A file goes into a directory under its own name, as cp does it. */
async function fileTarget(
  machine: Machine,
  source: CopySource,
  target: string,
  trimmed: string,
  ctx: Context,
): Promise<string> {
  const inside = `${trimmed === '/' ? '' : trimmed}/${source.name}`
  if (target.endsWith('/')) return inside
  const result = await machine.run(`if [ -d ${quote(trimmed)} ]; then echo directory; fi`, {
    signal: ctx.signal,
    idempotent: true,
  })
  return result.stdout.trim() === 'directory' ? inside : trimmed
}

/**
 * Unpacks beside the target, then moves or adds: a directory that is not there yet appears whole. `o` leaves the files to
 * root, whatever numbers the archive holds.
 */
function unpackScript(archive: string, target: string, mode: string): string {
  return [
    `a=${quote(archive)} t=${quote(target)}`,
    'd="$t.airlift-copy"',
    'trap \'rm -rf "$d" "$a"\' EXIT',
    'rm -rf "$d" && mkdir -p "$d" && tar -xpof "$a" -C "$d" || exit 1',
    `if [ -e "$t" ]; then cp -a "$d/." "$t/"; else chmod ${quote(mode)} "$d" && mv "$d" "$t"; fi`,
  ].join('\n')
}
