import { KERNEL_MODULES, SYSCTLS, TOOLS } from './names.js'

const MODULE_FILES = KERNEL_MODULES.map((name) => `-e '/${name}[.]ko'`).join(' ')

/**
 * What the host is: names, system, kernel, init, memory, cgroups, modules, sysctls, security modules, tools.
 * systemd counts only where it was booted (/run/systemd/system, as sd_booted(3) says). OpenRC wins as in k3s' own installer,
 * except on a host that booted systemd and merely has OpenRC's files: there its services would never be started.
 * timedatectl is not asked whether the clock is kept right: the question alone would start a service.
 */
export const hostSection = String.raw`
first /proc/sys/kernel/hostname || line=$(uname -n)
kv hostname "$line"
first /etc/machine-id /var/lib/dbus/machine-id; kv machineId "$line"
first /proc/sys/kernel/random/boot_id; kv bootId "$line"
arch=$(uname -rm)
release=${'${arch%% *}'}
kv kernel "$release"
kv arch "${'${arch##* }'}"
if [ -r /etc/os-release ]; then send osRelease /etc/os-release; else send osRelease /usr/lib/os-release; fi
bits=$(getconf LONG_BIT 2>/dev/null)
if [ -z "$bits" ]; then
  case $(od -An -tx1 -j4 -N1 /bin/sh 2>/dev/null) in *01*) bits=32 ;; *02*) bits=64 ;; esac
fi
kv bits "$bits"
if [ -x /sbin/openrc-run ] && { [ ! -d /run/systemd/system ] || [ -d /run/openrc ]; }; then kv init openrc
elif [ -d /run/systemd/system ] && has systemctl; then kv init systemd
else kv init none; fi
if getconf GNU_LIBC_VERSION >/dev/null 2>&1; then kv libc glibc
else for file in /lib/ld-musl-*; do if [ -e "$file" ]; then kv libc musl; fi; done; fi
virtualization=$(limit 3 systemd-detect-virt 2>/dev/null)
if [ -z "$virtualization" ] || [ "$virtualization" = none ]; then
  virtualization=
  if [ -e /.dockerenv ]; then virtualization=docker
  elif [ -e /run/.containerenv ]; then virtualization=podman
  else virtualization=$(tr '\0' '\n' </proc/1/environ 2>/dev/null | sed -n 's/^container=//p' | head -n 1); fi
fi
kv virtualization "$virtualization"
cpus=$(getconf _NPROCESSORS_ONLN 2>/dev/null || nproc 2>/dev/null || grep -c '^processor' /proc/cpuinfo 2>/dev/null)
kv cpus "$cpus"
send meminfo /proc/meminfo
for file in /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes; do
  if [ -r "$file" ]; then first "$file"; kv memoryLimit "$line"; break; fi
done
send cgroups /proc/cgroups
for dir in /sys/fs/cgroup /sys/fs/cgroup/unified; do
  if [ -r "$dir/cgroup.controllers" ]; then first "$dir/cgroup.controllers"; kv unified "$dir $line"; break; fi
done
loaded=$nl$(sed 's/ .*//' /proc/modules 2>/dev/null)$nl
kernel=/lib/modules/$release known= built= ready=
if [ -r "$kernel/modules.dep" ]; then
  known=1
  built=$(grep ${MODULE_FILES} "$kernel/modules.builtin" 2>/dev/null)$nl
  ready=$(grep ${MODULE_FILES} "$kernel/modules.dep" 2>/dev/null | sed 's/:.*//')$nl
fi
for module in ${KERNEL_MODULES.join(' ')}; do
  state=missing
  if [ -d "/sys/module/$module" ]; then state=loaded
  else case $loaded in
    *"$nl$module$nl"*) state=loaded ;;
    *) case $module in
      overlay) if grep -qw overlay /proc/filesystems; then state=loaded; fi ;;
      br_netfilter) if [ -d /proc/sys/net/bridge ]; then state=loaded; fi ;;
      nf_conntrack) if [ -e /proc/sys/net/netfilter/nf_conntrack_max ]; then state=loaded; fi ;;
    esac ;;
  esac; fi
  if [ "$state" = missing ]; then
    if [ -z "$known" ]; then state=unknown
    else case $built in *"/$module.ko"*) state=loaded ;; *) case $ready in *"/$module.ko"*) state=available ;; esac ;; esac; fi
  fi
  printf 'module\t%s\t%s\n' "$module" "$state"
done
open sysctls; grep -H '' ${SYSCTLS.map((name) => `/proc/sys/${name.replaceAll('.', '/')}`).join(' ')} 2>/dev/null; shut
for tool in ${TOOLS.join(' ')}; do
  if has "$tool"; then printf 'tool\t%s\t1\n' "$tool"; else printf 'tool\t%s\t0\n' "$tool"; fi
done
if [ -r /sys/fs/selinux/enforce ]; then first /sys/fs/selinux/enforce; kv selinux "$line"
elif [ -e /etc/selinux/config ]; then kv selinux disabled; fi
if [ -e /usr/share/selinux/packages/k3s.pp ]; then kv selinuxPolicy k3s; fi
if [ -r /sys/module/apparmor/parameters/enabled ]; then first /sys/module/apparmor/parameters/enabled; kv apparmor "$line"; fi
daemons=$(grep -hx -e chronyd -e ntpd -e openntpd -e ntpsec -e systemd-timesyn -e firewalld /proc/[0-9]*/comm 2>/dev/null)
synchronized=
if [ -e /run/systemd/timesync/synchronized ]; then synchronized=yes
elif has chronyc && tracking=$(limit 3 chronyc -n tracking 2>/dev/null); then
  case $tracking in *'Leap status     : Normal'*) synchronized=yes ;; *'Not synchronised'*) synchronized=no ;; esac
elif has adjtimex; then
  status=$(adjtimex 2>/dev/null | sed -n 's/^ *status: *\([0-9]*\).*/\1/p')
  if [ -n "$status" ]; then if [ $((status & 64)) -eq 0 ]; then synchronized=yes; else synchronized=no; fi; fi
else case $daemons in *chronyd* | *ntp* | *systemd-timesyn*) ;; *) synchronized=no ;; esac; fi
kv synchronized "$synchronized"
`
