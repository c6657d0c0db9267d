# Part of k3s-killall.sh and k3s-uninstall.sh: what is mounted below which directory.
nl='
'
# /proc/mounts knows every mount by its real path, whatever links lead there.
real() { readlink -f "$1" 2>/dev/null || printf '%s\n' "$1"; }
# Children come first, so that parents are free when their turn comes.
mounts() { awk '{ print $2 }' /proc/mounts | sort -r | while read -r mount; do printf '%b\n' "$mount"; done; }
empty() { # DIR: removes it, or only its content where it is a mount point; never through a link, nor what is mounted deeper
  if [ -L "$1" ] || [ ! -d "$1" ]; then return 0; fi
  at=$(real "$1")
  case "$nl$(mounts)$nl" in
    *"$nl$at/"*) ;;
    *"$nl$at$nl"*) find "$1" -mindepth 1 -maxdepth 1 -exec rm -rf {} + ;;
    *) rm -rf "$1" ;;
  esac
}
named=${K3S_DATA_DIR:-/var/lib/rancher/k3s}
data=$(real "$named")
programs=$(real "$data/data")
kubelet=$(real /var/lib/kubelet)
