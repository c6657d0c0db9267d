import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command, Option } from 'commander'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { registerAll } from '../commands/all.js'
import { registerCompletion } from '../commands/completion.js'
import { registerVersion } from '../commands/version.js'
import type { CliDeps } from '../io.js'
import { main } from '../main.js'
import { completionModel, flatten } from './model.js'
import { completionScript, SHELLS } from './script.js'

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'airlift-completion-'))
  for (const name of ['bundle one.airlift', 'hosts.txt']) writeFileSync(join(directory, name), '')
  for (const shell of SHELLS)
    writeFileSync(join(directory, `script.${shell}`), completionScript(shell, program()))
})
afterAll(() => rmSync(directory, { recursive: true }))

/** A program that has every case: nested commands, words, files, flags that take an optional value or none. */
function program(): Command {
  const root = new Command('airlift').version('1', '-V, --version', 'print it')
  const run = root.command('run').summary("create a cluster: it's quick")
  run
    .option('-o, --output <format>', 'how')
    .option('--rootfs <path>', 'a bundle')
    .option('--name <name>', 'its name')
  run
    .option('--yes', 'do not ask')
    .option('--version <release>', 'of k3s')
    .addOption(new Option('--secret').hideHelp())
  run.addOption(new Option('--mode <mode>', 'a choice').choices(['fast', 'slow']))
  const rootfs = root.command('rootfs').summary('bundles')
  rootfs
    .command('build')
    .option('--images <file...>', 'image archives')
    .option('--nodes [list]', 'these only')
  rootfs.command('inspect').argument('<bundle>')
  root.command('completion').argument('<shell>')
  return root
}

const has = (shell: string) => spawnSync(shell, ['-c', 'true']).status === 0

/** What bash offers at the end of a line; words as bash itself splits them. */
function bash(words: string[]): string[] {
  const script = `source "$1/script.bash"; cd "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _airlift; printf '%s\\n' "\${COMPREPLY[@]}"`
  const text = execFileSync('bash', ['-c', script, 'bash', directory, 'airlift', ...words], {
    encoding: 'utf8',
  })
  return text
    .split('\n')
    .filter((line) => line !== '')
    .sort()
}

describe('the model', () => {
  it('has what help shows', () => {
    const [root, run, rootfs] = flatten(completionModel(program()))
    expect(root?.commands.map((command) => command.path)).toEqual(['run', 'rootfs', 'completion', 'help'])
    expect(run?.flags.flatMap((flag) => flag.names)).not.toContain('--secret')
    expect(rootfs?.commands.map((command) => command.path)).toContain('rootfs build')
  })

  it('knows the words of every flag of airlift whose description lists some', () => {
    const root = new Command('airlift').exitOverride()
    registerAll(root, {} as CliDeps)
    const flags = flatten(completionModel(root)).flatMap((command) => command.flags)
    for (const name of ['--output', '--runtime', '--host-keys', '--transport', '--wait']) {
      const flag = flags.find((known) => known.names.includes(name))
      expect(flag?.value, name).toBe('words')
      for (const word of flag?.words ?? []) expect(flag?.description).toContain(word)
    }
    for (const flag of flags.filter((known) => known.value === 'other')) {
      expect(flag.description, `${flag.names[0]} lists words that completion does not know`).not.toMatch(
        /^(\S+, )+\S+ or \S+/,
      )
    }
  })
})

describe('bash', () => {
  it.each<[string[], string[]]>([
    [['r'], ['rootfs', 'run']],
    [[''], ['completion', 'help', 'rootfs', 'run']],
    [
      ['rootfs', ''],
      ['build', 'help', 'inspect'],
    ],
    [['run', '--y'], ['--yes']],
    [['run', '--o'], ['--output']],
    [
      ['run', '-o', ''],
      ['json', 'text'],
    ],
    [['run', '--output', '=', 'j'], ['json']],
    [
      ['run', '--output', '='],
      ['json', 'text'],
    ],
    [['run', '--mode', 's'], ['slow']],
    [['run', '--name', ''], []],
    [['run', '--name', 'rootfs', '--version', 'run', '--m'], ['--mode']],
    [['--version', 'ru'], ['run']],
    [['rootfs', 'build', '--nodes', '--im'], ['--images']],
    [['rootfs', 'inspect', 'hos'], ['hosts.txt']],
    [['run', '--rootfs', 'hos'], ['hosts.txt']],
    [
      ['completion', ''],
      ['bash', 'fish', 'zsh'],
    ],
    [['run', '--', 'hosts'], ['hosts.txt']],
  ])('%j completes to %j', (words, expected) => {
    expect(bash(words)).toEqual(expected)
  })

  it('parses, also as POSIX bash', () => {
    execFileSync('bash', ['-n', join(directory, 'script.bash')])
  })
})

describe.skipIf(!has('zsh'))('zsh', () => {
  it('parses, and completes as a person would see it', () => {
    execFileSync('zsh', ['-n', join(directory, 'script.zsh')])
    const complete = (line: string) => {
      const script = `
        zmodload zsh/zpty; zpty shell zsh -f -i
        zpty -w shell "PS1=; cd '${directory}'; autoload -U compinit; compinit -u -d '${directory}/dump'; source script.zsh; zstyle ':completion:*' list-grouped false; LISTMAX=0; unsetopt auto_menu beep; bindkey '^I' complete-word; echo RE''ADY"
        zpty -r -m shell out '*READY*'
        zpty -w -n shell $'${line}\\t'
        sleep 0.4; zpty -w -n shell $'\\t'; sleep 0.6
        while zpty -r -t shell out; do print -rn -- "$out"; done`
      return execFileSync('zsh', ['-f', '-c', script], { encoding: 'utf8', timeout: 20_000 })
    }
    expect(complete('airlift ro')).toContain('airlift rootfs')
    expect(complete('airlift run --output j')).toContain('json')
    expect(complete('airlift run --output=j')).toContain('--output=json')
    expect(complete('airlift rootfs ')).toMatch(/build[\s\S]*inspect/)
    expect(complete('airlift run --y')).toContain('--yes')
    expect(complete('airlift completion f')).toContain('fish')
  }, 60_000)
})

describe.skipIf(!has('fish'))('fish', () => {
  it('parses, and completes', () => {
    execFileSync('fish', ['-n', join(directory, 'script.fish')])
    const complete = (line: string) =>
      execFileSync(
        'fish',
        ['-c', `source '${directory}/script.fish'; cd '${directory}'; complete -C '${line}'`],
        {
          encoding: 'utf8',
          env: { ...process.env, HOME: directory },
        },
      )
        .split('\n')
        .map((text) => text.split('\t')[0])
        .filter((text) => text !== '')
        .sort()
    expect(complete('airlift r')).toEqual(['rootfs', 'run'])
    expect(complete('airlift rootfs b')).toEqual(['build'])
    expect(complete('airlift run --output ')).toEqual(['json', 'text'])
    expect(complete('airlift run --output=j')).toEqual(['--output=json'])
    expect(complete('airlift run --name rootfs --y')).toEqual(['--yes'])
    expect(complete('airlift completion ')).toEqual(['bash', 'fish', 'zsh'])
    expect(complete('airlift run --rootfs hos')).toEqual(['hosts.txt'])
    expect(complete('airlift rootfs inspect hos')).toEqual(['hosts.txt'])
  }, 60_000)
})

describe('the commands', () => {
  const run = async (...argv: string[]) => {
    let stdout = ''
    const root = new Command('airlift').exitOverride().configureOutput({
      writeOut: (text) => {
        stdout += text
      },
    })
    let code = 0
    const deps = {
      env: {},
      stdin: {},
      stdout: {
        write: (text: string) => {
          stdout += text
        },
      },
      stderr: { write: () => {} },
      createRenderer: async () => ({ onEvent() {}, stop() {} }),
      setOutput: () => {},
      setExitCode: (value: number) => {
        code = value
      },
    } as unknown as CliDeps
    registerVersion(root, deps)
    registerCompletion(root, deps)
    const error = await root.parseAsync(argv, { from: 'user' }).then(
      () => undefined,
      (thrown: Error) => thrown,
    )
    return { stdout, code, error }
  }

  it('prints versions', async () => {
    expect((await run('--version')).stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
    expect((await run('version')).stdout).toMatch(
      /^airlift {2}\d+\.\d+\.\d+\nnode {5}v\d+.*\nk3s {6}installs 1\.30 to 1\.36\n$/,
    )
    expect(JSON.parse((await run('version', '-o', 'json')).stdout)).toMatchObject({
      node: process.version,
      runtimes: { k3s: expect.arrayContaining(['1.33']) },
    })
  })

  it('prints the script of a shell, and refuses others', async () => {
    for (const shell of SHELLS)
      expect((await run('completion', shell)).stdout).toContain(`made by: airlift completion ${shell}`)
    expect((await run('completion', 'csh')).error?.message).toContain('bash, zsh, fish, not "csh"')
    expect(await main(['completion', 'csh'], { stdout: { write() {} }, stderr: { write() {} } })).toBe(2)
  })
})
