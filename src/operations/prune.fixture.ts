import { container } from '../machine/docker/container.fixture.js'
import type { FakeEngine } from '../machine/docker/fake-engine-types.js'

/** Things by kind and name. */
export const names = (items: readonly { kind: string; name: string }[]): string[] =>
  items.map(({ kind, name }) => `${kind} ${name}`).sort()

/** What a cluster has on an engine; `role` lb makes one without masters. */
export async function makeOn(
  engine: FakeEngine,
  cluster: string,
  roles: readonly string[],
  more: Record<string, string> = {},
): Promise<void> {
  const labels = { 'airlift.cluster': cluster, ...more }
  const name = `airlift-${cluster}`
  const octet = 20 + cluster.length
  await engine.createNetwork({ name, subnet: `10.${octet}.0.0/24`, gateway: `10.${octet}.0.1`, labels })
  await engine.createVolume(`${name}-images`, labels)
  for (const [index, role] of roles.entries())
    await engine.createContainer(
      container({
        name: `${name}-${role}-${index}`,
        image: 'k3s',
        labels: { ...labels, 'airlift.role': role },
      }),
    )
}
