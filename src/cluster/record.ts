import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { ClusterSpec, RuntimeName, SshOptions } from './spec.js'

/**
 * What this computer remembers of a cluster, so that later commands need not name its machines. It is only a cache: any
 * master knows the same, and nothing is lost with it. Holds no secrets.
 */
export interface ClusterRecord {
  readonly name: string
  readonly runtime: RuntimeName
  readonly version: string
  /** Hosts as they were typed. */
  readonly masters: readonly string[]
  readonly nodes: readonly string[]
  readonly ssh: SshOptions
  /** ISO time of the last change. */
  readonly updated: string
}

type Env = Readonly<Record<string, string | undefined>>

/** `$XDG_STATE_HOME/airlift/clusters`, by default under ~/.local/state. */
export function recordDir(env: Env): string {
  return join(env.XDG_STATE_HOME || join(env.HOME || homedir(), '.local', 'state'), 'airlift', 'clusters')
}

/** Reads one record. Undefined when there is none, or when it cannot be understood: it is only a cache. */
export async function readRecord(name: string, env: Env): Promise<ClusterRecord | undefined> {
  try {
    const value = JSON.parse(await readFile(join(recordDir(env), `${name}.json`), 'utf8')) as ClusterRecord
    return value.name === name && Array.isArray(value.masters) && Array.isArray(value.nodes)
      ? value
      : undefined
  } catch {
    return undefined
  }
}

/** All records, by name. */
export async function readRecords(env: Env): Promise<ClusterRecord[]> {
  const names = await readdir(recordDir(env)).catch(() => [])
  const records = await Promise.all(
    names.filter((name) => name.endsWith('.json')).map((name) => readRecord(name.slice(0, -5), env)),
  )
  return records.filter((record) => record !== undefined).sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** Writes a record: temporary file, then rename. */
export async function writeRecord(record: ClusterRecord, env: Env): Promise<void> {
  const dir = recordDir(env)
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const path = join(dir, `${record.name}.json`)
  const temp = `${path}.${process.pid}.tmp`
  await writeFile(temp, `${JSON.stringify(record, null, 2)}\n`, { mode: 0o600 })
  await rename(temp, path)
}

/** Forgets a cluster. */
export async function removeRecord(name: string, env: Env): Promise<void> {
  await rm(join(recordDir(env), `${name}.json`), { force: true })
}

/** The record of a spec. */
export function recordOf(spec: ClusterSpec, version: string, now: Date): ClusterRecord {
  return {
    name: spec.name,
    runtime: spec.runtime,
    version,
    masters: spec.masters.map((node) => node.target.text),
    nodes: spec.nodes.map((node) => node.target.text),
    ssh: spec.ssh,
    updated: now.toISOString(),
  }
}
