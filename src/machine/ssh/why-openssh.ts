import { existsSync } from 'node:fs'
import { listAgentKeys } from './agent-keys.js'
import type { SshShared } from './connect-ssh.js'
import { createHostKeyCheck } from './host-key-check.js'
import { keyType } from './key-blob.js'
import type { ResolvedHost } from './resolved-host.js'

/** Why only OpenSSH's client can reach a host, from its configuration, its keys and known_hosts; undefined when ssh2 can. */
export async function whyOpenssh(host: ResolvedHost, shared: SshShared): Promise<string | undefined> {
  if (host.needsOpenssh !== undefined) return host.needsOpenssh
  const { authority } = await createHostKeyCheck(host, shared.ctx.events)
  if (authority) return '@cert-authority in known_hosts'
  return (await certificates(host)) ?? securityKeys(host, shared)
}

/** Certificates of users: ssh offers the one that lies beside a key, and those of the agent; ssh2 knows neither. */
async function certificates(host: ResolvedHost): Promise<string | undefined> {
  const beside = host.identityFiles.map((file) => `${file}-cert.pub`).find((file) => existsSync(file))
  if (beside) return `certificate ${beside}`
  if (host.identitiesOnly || host.identityAgent === undefined) return undefined
  const agent = await listAgentKeys(host.identityAgent)
  return agent.some((key) => keyType(key.blob)?.includes('-cert-v')) ? 'certificate in the agent' : undefined
}

/** Security keys (FIDO) sign with hardware that ssh2 knows nothing of. They decide when they were named, or when there is no other key. */
async function securityKeys(host: ResolvedHost, shared: SshShared): Promise<string | undefined> {
  const files = await Promise.all(host.identityFiles.map((file) => shared.keys.load(file)))
  const agent = host.identityAgent === undefined ? [] : await listAgentKeys(host.identityAgent)
  const isSecurityKey = (type: string | undefined): boolean => type?.startsWith('sk-') === true
  const named = host.identitiesNamed ? files.find((file) => isSecurityKey(file.type)) : undefined
  if (named) return `security key ${named.file}`
  const types = [
    ...files.filter((file) => file.problem === undefined).map((file) => file.type),
    ...(host.identitiesOnly ? [] : agent.map((key) => keyType(key.blob))),
  ].filter((type) => type !== undefined)
  return types.length > 0 && types.every(isSecurityKey) ? 'only security keys to offer' : undefined
}
