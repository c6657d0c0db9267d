import { type CheckInput, isOurs } from './machine-under-test.js'
import { type Problem, problem } from './problem.js'

/** How each of the others is removed. */
const REMOVAL: Readonly<Record<string, string>> = {
  kubeadm: 'kubeadm reset -f, then remove /etc/kubernetes',
  k0s: 'k0s stop; k0s reset, then remove /etc/k0s',
  rke2: 'rke2-uninstall.sh',
  microk8s: 'snap remove --purge microk8s',
  minikube: 'minikube delete --all --purge',
}

const UNINSTALL = 'k3s-uninstall.sh, or remove /etc/rancher and /var/lib/rancher'

/** What is left of a k3s, and how it is removed. All of it is the user's own once airlift has made the machine a node. */
const K3S_REMAINS: Readonly<
  Record<string, { readonly what: string; readonly fix: (evidence: string) => string }>
> = {
  'k3s-config': { what: 'a configuration of k3s', fix: () => UNINSTALL },
  'k3s-data': { what: 'data of k3s', fix: () => UNINSTALL },
  'k3s-binary': { what: 'a k3s binary', fix: (path) => `remove ${path}` },
  'k3s-drop-in': {
    what: 'a configuration of k3s that wins over that of airlift,',
    fix: (path) => `remove ${path}; what is to stay belongs into --config`,
  },
  'k3s-registries': {
    what: 'a registries.yaml of k3s',
    fix: (path) => `remove ${path}; what is to stay belongs into --registries`,
  },
  'k3s-env': {
    what: 'settings of the service k3s that win over those of airlift,',
    fix: (evidence) =>
      `remove these lines from ${evidence.replace(/: .*/, '')}; others, such as proxies, may stay`,
  },
}

/** Other distributions, container engines, and a k3s that is not ours. */
export function checkLeftovers(input: CheckInput): Problem[] {
  const { machine, spec } = input
  const { leftovers, managed } = machine.facts
  const found: Problem[] = []
  const owner = managed.record?.name
  if (typeof owner === 'string' && owner !== spec.name) {
    found.push(
      problem(
        'foreign-cluster',
        machine.name,
        `the machine belongs to the cluster "${owner}", not to "${spec.name}"`,
        {
          fix: `use --name ${owner}, or first: airlift reset --name ${owner} --masters … --nodes …`,
        },
      ),
    )
  }
  const ours = isOurs(machine)
  const unit = ours ? undefined : leftovers.find((entry) => entry.what === 'k3s-unit')
  if (unit) {
    found.push(
      problem(
        'foreign-cluster',
        machine.name,
        `a k3s that airlift did not make is installed (${unit.evidence})`,
        {
          fix: `take another machine, or remove it first: ${unit.evidence.replace(/^.*\/|\.service$/g, '')}-uninstall.sh`,
        },
      ),
    )
  }
  for (const { what, evidence } of leftovers) {
    const removal = REMOVAL[what]
    const remains = K3S_REMAINS[what]
    if (removal) {
      found.push(
        problem('leftover', machine.name, `${what} is or was installed (${evidence})`, { fix: removal }),
      )
    } else if (remains && !ours && !unit) {
      found.push(
        problem('leftover', machine.name, `${remains.what} that airlift did not put there (${evidence})`, {
          fix: remains.fix(evidence),
        }),
      )
    } else if (what === 'docker' || what === 'containerd' || what === 'crio') {
      found.push(problem('container-engine', machine.name, `${what} runs (${evidence})`))
    } else if (what === 'cni') {
      found.push(
        problem('foreign-cni', machine.name, `a network configuration of another program (${evidence})`),
      )
    }
  }
  return found
}
