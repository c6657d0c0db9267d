import { dirname, isAbsolute, join } from 'node:path'
import { LineCounter, parseDocument, stringify } from 'yaml'
import { type SpecProblem, throwProblems } from '../cluster/problems.js'
import { renderConfig } from '../cluster/render-config.js'
import type { RegistriesSpec, SpecFile } from '../cluster/spec.js'
import { type LoadedRegistries, reasonOf, type SpecIo } from '../cluster/spec-io.js'
import { yamlMessage } from '../cluster/yaml-problem.js'
import { Secret } from '../core/secret.js'
import type { RegistryLogin } from '../machine/docker/registry-auth.js'
import { checkConfigs } from './check-configs.js'
import { checkMirrors } from './check-mirrors.js'
import { crossCheck } from './cross-check.js'
import { RegistriesReader } from './reader.js'
import { checkTlsFile } from './tls-file.js'
import type { Registries, RegistryTls } from './types.js'

/** What docker of this computer is logged in with, by the host that is contacted. */
export type DockerLogins = ReadonlyMap<string, RegistryLogin>

/** Where the CA, certificate and key files of a registry go on every machine. */
export const REGISTRY_FILES_DIR = '/etc/rancher/k3s/registries.d'

/**
 * Reads a registries.yaml: checks all of it against k3s' schema and reads the TLS files that it names from this computer,
 * so that the machines need nothing that is not carried along. The result names the files at their paths on the machines.
 *
 * @param path - absent: nothing but `logins`
 * @param logins - of docker on this computer, for hosts of which the file has none
 * @throws AirliftError E_REGISTRIES_INVALID with every problem, its line and the remedy; never with a password
 */
export async function loadRegistries(
  path: string | undefined,
  io: Pick<SpecIo, 'readFile'>,
  logins?: DockerLogins,
): Promise<LoadedRegistries> {
  if (path === undefined) return readRegistries('', { name: '--docker-logins', directory: '.' }, io, logins)
  let text: string
  try {
    text = (await io.readFile(path)).toString('utf8')
  } catch (error) {
    const message = `cannot read "${path}": ${reasonOf(error)}`
    throwProblems([
      {
        code: 'E_LOCAL_FILE',
        path: '--registries',
        message,
        hint: 'name a registries.yaml on this computer',
      },
    ])
    throw error
  }
  return readRegistries(text, { name: path, directory: dirname(path) }, io, logins)
}

/** As {@link loadRegistries}, for the `registries` part of a cluster file. `directory` is what its paths are relative to. */
export async function loadRegistriesObject(
  value: object,
  directory: string,
  io: Pick<SpecIo, 'readFile'>,
): Promise<LoadedRegistries> {
  return readRegistries(stringify(value), { name: 'registries', directory, lines: false }, io)
}

/** Where a text comes from. `lines: false`: the user wrote no lines of it, so none are told. */
interface Source {
  readonly name: string
  readonly directory: string
  readonly lines?: boolean
}

async function readRegistries(
  text: string,
  source: Source,
  io: Pick<SpecIo, 'readFile'>,
  logins?: DockerLogins,
): Promise<LoadedRegistries> {
  const problems: SpecProblem[] = []
  const lines = new LineCounter()
  const document = parseDocument(text, { version: '1.1', lineCounter: lines, prettyErrors: false })
  for (const error of [...document.errors, ...document.warnings]) {
    problems.push({
      code: 'E_REGISTRIES_INVALID',
      path: source.name,
      ...lines.linePos(error.pos[0]),
      message: yamlMessage(error),
      hint: 'the file is YAML with mirrors and configs; "*" has to be in quotes',
    })
  }
  throwProblems(problems)
  const reader = new RegistriesReader(
    source.name,
    document,
    source.lines === false ? undefined : lines,
    problems,
  )
  const registries = readDocument(reader)
  const files = await readTlsFiles(registries, source.directory, io, reader)
  throwProblems(problems)
  const spec: RegistriesSpec = {
    content: new Secret(renderConfig(withLogins(toPlain(registries, files), logins))),
    files: files.map(({ file }) => file),
    mirrors: [...registries.mirrors.keys()],
  }
  const none = logins?.size === 0 ? ['--docker-logins: docker is logged in nowhere on this computer'] : []
  return { registries: spec, warnings: [...reader.warnings, ...none] }
}

function readDocument(reader: RegistriesReader): Registries {
  const top = reader.map(reader.root, '', ['mirrors', 'configs', 'auths'])
  const registries: Registries = {
    mirrors: checkMirrors(top.get('mirrors'), reader),
    configs: checkConfigs(top.get('configs'), top.get('auths'), reader),
  }
  crossCheck(registries, reader)
  return registries
}

/** A TLS file that goes along, with the setting that names it. */
interface CarriedFile {
  readonly host: string
  readonly key: TlsFileKey
  readonly file: SpecFile
}

type TlsFileKey = 'ca_file' | 'cert_file' | 'key_file'

async function readTlsFiles(
  registries: Registries,
  directory: string,
  io: Pick<SpecIo, 'readFile'>,
  reader: RegistriesReader,
): Promise<CarriedFile[]> {
  const files: CarriedFile[] = []
  for (const [host, { tls }] of registries.configs) {
    for (const key of ['ca_file', 'cert_file', 'key_file'] as const) {
      const setting = tls?.[key]
      if (setting === undefined) continue
      const local = isAbsolute(setting.value) ? setting.value : join(directory, setting.value)
      let content: Buffer
      try {
        content = await io.readFile(local)
      } catch (error) {
        reader.refuse(
          setting.node,
          `configs.${host}.tls.${key}`,
          `cannot read "${local}" on this computer: ${reasonOf(error)}`,
          'put the file beside the registries.yaml; airlift carries it to every machine',
        )
        continue
      }
      const wrong = checkTlsFile(key, content)
      if (wrong)
        reader.refuse(setting.node, `configs.${host}.tls.${key}`, `"${local}" ${wrong.message}`, wrong.hint)
      files.push({ host, key, file: { path: machinePath(host, key), content, mode: '0600' } })
    }
  }
  return files
}

/** `/etc/rancher/k3s/registries.d/reg.lan_5000/ca.pem`: one folder for a host, names that cannot collide. */
function machinePath(host: string, key: TlsFileKey): string {
  const folder = host === '*' ? '_default' : host.replace(/[^A-Za-z0-9.-]/g, '_')
  return `${REGISTRY_FILES_DIR}/${folder}/${key.replace('_file', '')}.pem`
}

/** The document as k3s reads it, with the paths on the machines. */
function toPlain(
  registries: Registries,
  files: readonly CarriedFile[],
): Record<string, Record<string, Plain>> {
  const mirrors: Record<string, Plain> = {}
  for (const [name, { endpoints, rewrite }] of registries.mirrors) {
    mirrors[name] = {
      ...(endpoints.length > 0 ? { endpoint: endpoints.map((endpoint) => endpoint.text) } : {}),
      ...(rewrite.size > 0 ? { rewrite: Object.fromEntries(rewrite) } : {}),
    }
  }
  const configs: Record<string, Plain> = {}
  for (const [host, { auth, tls }] of registries.configs) {
    configs[host] = { ...(auth ? { auth } : {}), ...(tls ? { tls: tlsToPlain(host, tls, files) } : {}) }
  }
  return {
    ...(registries.mirrors.size > 0 ? { mirrors } : {}),
    ...(registries.configs.size > 0 ? { configs } : {}),
  }
}

/** Docker's logins beside what the file says: its own word of a host counts. */
function withLogins(
  plain: Record<string, Record<string, Plain>>,
  logins: DockerLogins = new Map(),
): Record<string, Record<string, Plain>> {
  const configs = { ...plain.configs }
  for (const [host, login] of [...logins].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (configs[host]?.auth !== undefined) continue
    const auth = 'identitytoken' in login ? { identity_token: login.identitytoken } : { ...login }
    configs[host] = { auth, ...configs[host] }
  }
  return Object.keys(configs).length > 0 ? { ...plain, configs } : plain
}

type Plain = { [key: string]: string | boolean | string[] | Record<string, string | boolean> }

function tlsToPlain(
  host: string,
  tls: RegistryTls,
  files: readonly CarriedFile[],
): Record<string, string | boolean> {
  const carried = files.filter((file) => file.host === host).map(({ key, file }) => [key, file.path])
  return {
    ...Object.fromEntries(carried),
    ...(tls.insecure === undefined ? {} : { insecure_skip_verify: tls.insecure }),
  }
}
