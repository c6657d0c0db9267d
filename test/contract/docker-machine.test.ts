import { execFileSync, spawnSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createContext } from '../../src/core/context.js'
import { createDockerMachine } from '../../src/machine/docker/docker-machine.js'
import type { Machine } from '../../src/machine/machine.js'
import { quote } from '../../src/machine/quote.js'
import { labMissing } from '../lab/lab.js'
import { cleanEngine, type EngineUnderTest, PREFIX, prepareEngine, sleeper } from './engines.js'
import { tinyRoot } from './tiny-root.js'

const AUX = `${PREFIX}:aux`

/** Busybox alone, once with a shell where it is usual and once with nothing but /bin/aux, as in images made of k3s. */
describe.skipIf(labMissing()).each(['/bin/sh', '/bin/aux/sh'])('a container with nothing but %s', (shell) => {
  let under: EngineUnderTest
  let machine: Machine
  let name = ''

  beforeAll(async () => {
    under = await prepareEngine('real')
    const aux = shell === '/bin/aux/sh'
    if (aux) await under.engine.importImage(AUX, tinyRoot('/bin/aux'), ['LABEL airlift.test=image'])
    const config = sleeper(aux ? 'aux' : 'sh', {
      entrypoint: [shell, '-c'],
      command: [`PATH=/bin:/bin/aux; while :; do sleep 0.1; done`],
      ...(aux ? { image: AUX } : {}),
    })
    name = config.name
    await under.engine.createContainer(config)
    machine = createDockerMachine({ engine: under.engine, name, ctx: createContext() })
  })
  afterAll(() => cleanEngine(under.engine))

  it('says that it does not run, and runs what it is told as soon as it does', async () => {
    expect(machine).toMatchObject({ kind: 'docker', id: `docker://${name}`, name })
    await expect(machine.run('true')).rejects.toMatchObject({
      code: 'E_ENGINE',
      machine: name,
      hint: expect.stringContaining('airlift start'),
    })
    await under.engine.startContainer(name)
    expect(await machine.run('id -u; echo err >&2; exit 4')).toEqual({
      exitCode: 4,
      stdout: '0\n',
      stderr: 'err\n',
    })
  })

  it('finds the tools of k3s and its own directory', async () => {
    const { stdout } = await machine.run('echo "$PATH"; command -v sha256sum')
    for (const path of ['/bin', '/bin/aux', '/usr/local/bin']) {
      expect(stdout.split('\n')[0]?.split(':')).toContain(path)
    }
    // The shell of a static busybox finds its own applets without a path.
    expect(stdout).toMatch(/(\/|\n)sha256sum\n$/)
  })

  it('takes scripts with data and large files', async () => {
    const data = randomBytes(3 << 20)
    const sha256 = createHash('sha256').update(data).digest('hex')
    expect((await machine.run('sha256sum', { stdin: Readable.from([data]) })).stdout.slice(0, 64)).toBe(
      sha256,
    )
    await machine.put({
      path: '/var/lib/blob',
      open: () => Readable.from([data]),
      sizeBytes: data.length,
      sha256,
      mode: '0640',
    })
    const { stdout } = await machine.run('sha256sum /var/lib/blob; stat -c %a /var/lib/blob; ls -A /var/lib')
    expect(stdout).toBe(`${sha256}  /var/lib/blob\n640\nblob\n`)
  })

  it('ends a script and its children at the deadline', async () => {
    const run = machine.run('sleep 97.5 & sleep 97.25', { timeoutMs: 1_000 })
    await expect(run).rejects.toMatchObject({ code: 'E_TIMEOUT' })
    expect((await machine.run('ps -o args | grep -c "[s]leep 97"')).stdout).toBe('0\n')
  })

  it('runs a command with our own stdin, stdout and exit code, with and without a terminal', async () => {
    const fixture = fileURLToPath(new URL('docker-interact-fixture.ts', import.meta.url))
    const words = [process.execPath, '--import', 'tsx', fixture, name]
    const piped = spawnSync(words[0] ?? '', [...words.slice(1), 'cat; echo err >&2; exit 7'], {
      input: 'from here',
      encoding: 'utf8',
    })
    expect(piped).toMatchObject({ stdout: 'from here', stderr: 'err\n', status: 7 })
    const tty = [...words, 'sleep 1; test -t 0 && stty size; exit 5', 'tty'].map(quote).join(' ')
    const script = `stty rows 33 cols 111; ${tty}; echo "code $?"`
    const shown = execFileSync('script', ['-qec', script, '/dev/null'], {
      encoding: 'utf8',
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    expect(shown.replaceAll('\r', '')).toContain('33 111\ncode 5')
  })

  it('loses a script when it stops, and runs it again where that does no harm', async () => {
    let onStarted = (): void => {}
    const started = new Promise<void>((resolve) => {
      onStarted = resolve
    })
    const lost = expect(
      machine.run('echo started; sleep 60', { onLine: () => onStarted() }),
    ).rejects.toMatchObject({ code: 'E_SSH_LOST', machine: name })
    await started
    await under.engine.restartContainer(name, 1)
    await lost
    let times = 0
    const again = machine.run(
      'echo started; [ -e /tmp/second ] || { : >/tmp/second; sleep 60; }; echo done',
      {
        idempotent: true,
        onLine: (line) => {
          if (line === 'started' && times++ === 0) void under.engine.restartContainer(name, 1)
        },
      },
    )
    const result = await again.catch((error: Error) => error)
    // While the container is between stop and start there is nothing to run it in.
    if (result instanceof Error) expect(result).toMatchObject({ code: 'E_ENGINE' })
    else expect(result.stdout).toBe('started\ndone\n')
  })
})
