import { AirliftError } from '../core/errors.js'
import { padding, TAR_END } from './tar/header.js'
import { type MemberHeader, memberHeader } from './tar/pack-entries.js'
import { type StreamedMember, streamMembers } from './tar/stream-members.js'

/** What the binary of k3s unpacks lies here: `data/HASH/bin/…` (k3s, cmd/k3s/main.go, extract). */
export const UNPACKED = '/var/lib/rancher/k3s/data'

/** Lines of a Dockerfile that make of the layer what k3s' own package/Dockerfile makes of its. */
export const IMAGE_SETTINGS: readonly string[] = [
  'ENTRYPOINT ["/bin/k3s"]',
  'CMD ["agent"]',
  'VOLUME /var/lib/kubelet',
  'VOLUME /var/lib/rancher/k3s',
  'VOLUME /var/lib/cni',
  'VOLUME /var/log',
  'ENV PATH="/var/lib/rancher/k3s/data/cni:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/bin/aux"',
  'ENV CRI_CONFIG_FILE="/var/lib/rancher/k3s/agent/etc/crictl.yaml"',
]

/**
 * Applets of busybox that releases of k3s have links for and that nodes need: airlift's scripts, CNI, k3s and the people
 * who look into a container. Made only where a binary brings busybox without links.
 */
const APPLETS =
  '[ ash awk base64 basename cat chmod chown chroot cmp cp cut date dd df diff dirname dmesg du echo env expr false find free getopt grep egrep fgrep gunzip gzip head hexdump hostname id ifconfig install ip kill killall ln ls lsmod md5sum mkdir mkfifo mknod mktemp modprobe more mount mountpoint mv nc netstat nice nohup nproc nsenter nslookup od pidof ping ping6 printenv printf ps pwd readlink realpath reboot renice rm rmdir route sed seq setsid sh sha256sum sha512sum sleep sort stat strings stty sync sysctl tail tar tee telnet test time timeout top touch tr traceroute true truncate tty umount uname uniq unlink uptime usleep vi watch wc wget which whoami xargs xxd yes zcat'.split(
    ' ',
  )

/** Directories of the image beside `bin`, with their modes. */
const DIRECTORIES: Readonly<Record<string, string>> = {
  etc: '0755',
  'etc/ssl': '0755',
  'etc/ssl/certs': '0755',
  lib: '0755',
  'lib/firmware': '0755',
  'lib/modules': '0755',
  root: '0700',
  run: '0755',
  tmp: '1777',
  usr: '0755',
  'usr/local': '0755',
  'usr/local/bin': '0755',
  var: '0755',
  'var/lib': '0755',
  'var/lib/rancher': '0755',
  'var/lib/rancher/k3s': '0755',
  'var/lib/rancher/k3s/data': '0755',
  'var/lib/rancher/k3s/data/cni': '0755',
  'var/log': '0755',
  'var/run': '0755',
}

/**
 * Turns what k3s has unpacked (a tar of {@link UNPACKED}) into the root file system of a node image, as it streams by:
 * `data/HASH/bin` becomes `/bin`, and what k3s' own image has beside it is added. There are no certificates of public
 * authorities in it, since a rootfs has none.
 * @throws AirliftError E_IMAGE_INVALID when no k3s, or nothing that a shell is made of, is in it
 */
export async function* nodeLayout(unpacked: AsyncIterable<Buffer>, version: string): AsyncGenerator<Buffer> {
  const bin = new Set<string>()
  const cni: string[] = []
  yield member({ path: 'bin/', mode: '0755', type: 'Directory', size: 0 })
  for await (const found of streamMembers(unpacked)) {
    const path = inImage(found.name)
    if (path === undefined || path === 'bin') continue
    bin.add(path)
    if (found.type === '2' && /^bin\/[^/]+$/.test(path) && found.link === 'cni') cni.push(path.slice(4))
    yield* moved(found, path)
  }
  if (!bin.has('bin/k3s')) throw unusable('what it unpacks holds no k3s')
  if (!bin.has('bin/sh') && !bin.has('bin/busybox')) throw unusable('what it unpacks holds no shell')
  if (!bin.has('bin/sh')) {
    for (const applet of APPLETS) {
      if (!bin.has(`bin/${applet}`) && !bin.has(`bin/aux/${applet}`)) yield link(`bin/${applet}`, 'busybox')
    }
  }
  for (const [path, mode] of Object.entries(DIRECTORIES)) {
    yield member({ path: `${path}/`, mode, type: 'Directory', size: 0 })
  }
  // The kubelet's plugins are looked for here first, so that users can add their own.
  for (const name of ['cni', ...cni]) yield link(`var/lib/rancher/k3s/data/cni/${name}`, '/bin/cni')
  yield file('etc/passwd', 'root:x:0:0:root:/:/bin/sh\n')
  yield file('etc/group', 'root:x:0:\n')
  yield file('etc/nsswitch.conf', 'hosts: files dns\n')
  yield file('etc/os-release', `PRETTY_NAME="K3s ${version}"\n`)
  yield TAR_END
}

/** The place of an unpacked file in the image; undefined for what is not part of it. */
function inImage(name: string): string | undefined {
  return /^(?:\.?\/)*data\/[0-9a-f]{64}\/(bin(?:\/.*)?)$/.exec(name.replace(/\/+$/, ''))?.[1]
}

async function* moved(found: StreamedMember, path: string): AsyncGenerator<Buffer> {
  const mode = found.mode.toString(8).padStart(4, '0')
  if (found.type === '5') yield member({ path: `${path}/`, mode, type: 'Directory', size: 0 })
  else if (found.type === '2') yield link(path, found.link)
  else if (found.type === '1') yield link(path, `/${inImage(found.link) ?? found.link}`)
  else if (found.type === '0' || found.type === '7') {
    yield member({ path, mode, type: 'File', size: found.size })
    yield* found.content()
    yield Buffer.alloc(padding(found.size))
  }
}

function member(header: MemberHeader): Buffer {
  return memberHeader(header)
}

function link(path: string, linkpath: string): Buffer {
  return member({ path, mode: '0777', type: 'SymbolicLink', size: 0, linkpath })
}

function file(path: string, text: string): Buffer {
  const content = Buffer.from(text)
  const header = member({ path, mode: '0644', type: 'File', size: content.length })
  return Buffer.concat([header, content, Buffer.alloc(padding(content.length))])
}

/** The error for a binary of which no node image can be made. */
export function unusable(reason: string, cause?: unknown): AirliftError {
  return new AirliftError(
    'E_IMAGE_INVALID',
    `no node image can be made of the k3s binary of the rootfs: ${reason}`,
    {
      hint: 'name an image that the engine has or can pull: --image rancher/k3s:VERSION',
      ...(cause === undefined ? {} : { cause }),
    },
  )
}
