import { execFile, spawn } from 'node:child_process'
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

const exec = promisify(execFile)

/** An sshd of the test's own on a free port of this computer, with keys of its own. */
export interface OwnSshd {
  readonly port: number
  readonly dir: string
  /** A private key that root may log in with. */
  readonly identity: string
  readonly hostKeyLine: (type: 'ed25519' | 'ecdsa' | 'rsa') => Promise<string>
  /** Ends every connection at once, as a network that breaks. */
  killConnections(): Promise<void>
  log(): Promise<string>
  stop(): Promise<void>
}

/** A port that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

/** Starts sshd as the user of the test (root), which may log in with a new key. `config` is added to its configuration. */
export async function startOwnSshd(config: readonly string[] = []): Promise<OwnSshd> {
  const dir = await mkdtemp(join(tmpdir(), 'airlift-sshd-'))
  await mkdir('/run/sshd', { recursive: true })
  const identity = join(dir, 'id_ed25519')
  const keygen = (file: string, type: string): Promise<unknown> =>
    exec('ssh-keygen', ['-q', '-t', type, '-N', '', '-C', `test-${type}`, '-f', file])
  await keygen(identity, 'ed25519')
  for (const type of ['ed25519', 'ecdsa', 'rsa']) await keygen(join(dir, `host_${type}`), type)
  await writeFile(join(dir, 'authorized_keys'), await readFile(`${identity}.pub`), { mode: 0o600 })
  await chmod(dir, 0o755)
  const port = await freePort()
  const file = join(dir, 'sshd_config')
  await writeFile(
    file,
    [
      // The first value wins in sshd_config too, so that the test's own lines come first.
      ...config,
      `Port ${port}`,
      'ListenAddress 127.0.0.1',
      ...['ed25519', 'ecdsa', 'rsa'].map((type) => `HostKey ${dir}/host_${type}`),
      `AuthorizedKeysFile ${dir}/authorized_keys`,
      `PidFile ${dir}/pid`,
      'StrictModes no',
      'PermitRootLogin yes',
      'PasswordAuthentication no',
      'KbdInteractiveAuthentication no',
      'UsePAM no',
      'LogLevel VERBOSE',
      'MaxStartups 100',
      '',
    ].join('\n'),
  )
  const child = spawn('/usr/sbin/sshd', ['-D', '-f', file, '-E', `${dir}/log`], { stdio: 'ignore' })
  const log = (): Promise<string> => readFile(`${dir}/log`, 'utf8').catch(() => '')
  for (let i = 0; i < 100 && !(await log()).includes('Server listening'); i++) {
    if (child.exitCode !== null) throw new Error(`sshd did not start: ${await log()}`)
    await sleep(50)
  }
  return {
    port,
    dir,
    identity,
    hostKeyLine: async (type) => (await readFile(join(dir, `host_${type}.pub`), 'utf8')).trim(),
    killConnections: async () => {
      // Children of our own sshd only: they are found by their parent.
      await exec('pkill', ['-KILL', '-P', String(child.pid)]).catch(() => {})
    },
    log,
    stop: async () => {
      await exec('pkill', ['-KILL', '-P', String(child.pid)]).catch(() => {})
      child.kill('SIGKILL')
      await rm(dir, { recursive: true, force: true })
    },
  }
}
