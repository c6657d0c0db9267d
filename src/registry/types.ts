import type { Node } from 'yaml'

/** A setting with its place in the file. */
export interface Placed {
  readonly value: string
  readonly node: Node
}

/** One endpoint of a mirror. */
export interface Endpoint {
  /** As written. */
  readonly text: string
  /** Host with port, as `configs` names it. */
  readonly host: string
  readonly scheme: 'http' | 'https'
  readonly node: Node
}

/** What replaces one registry. */
export interface Mirror {
  readonly endpoints: readonly Endpoint[]
  /** Go regular expression to replacement. */
  readonly rewrite: ReadonlyMap<string, string>
}

/** How TLS is spoken with one host. Files are paths on this computer. */
export interface RegistryTls {
  readonly ca_file?: Placed
  readonly cert_file?: Placed
  readonly key_file?: Placed
  readonly insecure?: boolean
  readonly node: Node
}

/** What one host needs. */
export interface HostConfig {
  /** username, password, auth, identity_token. Secret. */
  readonly auth?: Readonly<Record<string, string>>
  readonly tls?: RegistryTls
  readonly node: Node
}

/** A checked registries.yaml. */
export interface Registries {
  /** By the registry of the image's name; `*` is every other one. */
  readonly mirrors: ReadonlyMap<string, Mirror>
  /** By the host that is contacted. */
  readonly configs: ReadonlyMap<string, HostConfig>
}
