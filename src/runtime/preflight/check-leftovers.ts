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

const K3S_REMAINS: Readonly<Record<string, string>> = {
  'k3s-config': 'a configuration of k3s',
  'k3s-data': 'data of k3s',
  'k3s-binary': 'a k3s binary',
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
          fix: 'take another machine, or remove it first: k3s-uninstall.sh or k3s-agent-uninstall.sh',
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
        problem('leftover', machine.name, `${remains} that airlift did not put there (${evidence})`, {
          fix:
            what === 'k3s-binary'
              ? `remove ${evidence}`
              : 'k3s-uninstall.sh, or remove /etc/rancher and /var/lib/rancher',
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
