import { STATE_DIR } from '../../state-paths.js'

/**
 * What other Kubernetes distributions, container engines and earlier k3s installations left, with the path that shows it; and
 * links in the place of directories that a reset wipes.
 */
export const leftoversSection = String.raw`
left() { printf 'leftover\t%s\t%s\n' "$1" "$2"; }
found() { what=$1; shift; for item in "$@"; do if [ -e "$item" ] || [ -L "$item" ]; then left "$what" "$item"; return 0; fi; done; return 1; }
filled() { what=$1; shift; for item in "$@"; do if [ -d "$item" ] && [ -n "$(ls -A "$item" 2>/dev/null)" ]; then left "$what" "$item"; return 0; fi; done; return 1; }
found kubeadm /etc/kubernetes/manifests/*.yaml /etc/kubernetes/admin.conf /etc/kubernetes/kubelet.conf /etc/systemd/system/kubelet.service.d/10-kubeadm.conf || :
found k0s /etc/systemd/system/k0scontroller.service /etc/systemd/system/k0sworker.service /etc/init.d/k0scontroller /etc/init.d/k0sworker || filled k0s /var/lib/k0s /etc/k0s || :
found rke2 /etc/systemd/system/rke2-server.service /etc/systemd/system/rke2-agent.service /usr/local/lib/systemd/system/rke2-server.service /usr/local/lib/systemd/system/rke2-agent.service /usr/lib/systemd/system/rke2-server.service || filled rke2 /var/lib/rancher/rke2 /etc/rancher/rke2 || :
filled microk8s /var/snap/microk8s/common /snap/microk8s || :
filled minikube /var/lib/minikube || :
filled talos /system/state || :
found docker /run/docker.sock /var/run/docker.sock || :
found containerd /run/containerd/containerd.sock || :
found crio /run/crio/crio.sock || :
for item in /etc/cni/net.d/*; do if [ -f "$item" ]; then left cni "$item"; break; fi; done
# The names of airlift's own services are k3s' in any case; others that begin so only where they run k3s: k3s-backup.service may not.
for item in /etc/systemd/system/k3s*.service /etc/init.d/k3s* /usr/lib/systemd/system/k3s*.service; do
  case ${'${item##*/}'} in
    k3s | k3s.service | k3s-agent | k3s-agent.service) [ -e "$item" ] || [ -L "$item" ] || continue ;;
    *) [ -f "$item" ] && tr '\n\\' '  ' <"$item" | grep -Eq '(ExecStart|command)=[^ ]*/k3s["'\'']?( +-[^ ]+)* +(command_args=["'\''] *)?(server|agent)' || continue ;;
  esac
  left k3s-unit "$item"
  break
done
found k3s-binary /usr/local/bin/k3s /opt/bin/k3s /usr/bin/k3s || :
found k3s-config /etc/rancher/k3s/config.yaml || :
# Each is told: k3s reads all of them beside config.yaml, and what they say wins over it.
for item in /etc/rancher/k3s/config.yaml.d/*.yaml /etc/rancher/k3s/config.yaml.d/*.yml; do if [ -f "$item" ]; then left k3s-drop-in "$item"; fi; done
found k3s-registries /etc/rancher/k3s/registries.yaml || :
# Only names: values may be tokens. Others than these, such as proxies, are the user's.
for unit in k3s k3s-agent; do
  for item in /etc/default/$unit /etc/sysconfig/$unit /etc/conf.d/$unit /etc/rancher/k3s/$unit.env /etc/systemd/system/$unit.service.env /etc/systemd/system/$unit.service.d/*.conf; do
    [ -f "$item" ] || continue
    names=$(grep -v '^[[:space:]]*[#;]' "$item" 2>/dev/null | tr -c 'A-Za-z0-9_=' '\n' | sed -n -e 's/^\(K3S_[A-Z0-9_]*\)=.*/\1/p' -e 's/^\(ExecStart\)=.*/\1/p' | tr '\n' ' ')
    if [ -n "$names" ]; then left k3s-env "$item: ${'$'}{names% }"; fi
  done
done
filled k3s-data /var/lib/rancher/k3s/server/db /var/lib/rancher/k3s/agent/containerd || :
for item in /var/lib/rancher/k3s /var/lib/kubelet ${STATE_DIR} /var/lib/cni /var/log/pods /var/log/containers /etc/rancher/k3s /etc/rancher/node; do
  if [ -L "$item" ]; then left link "$item, a link to $(readlink -f "$item" 2>/dev/null || echo nothing)"; fi
done
found node-password /etc/rancher/node/password || :
`
