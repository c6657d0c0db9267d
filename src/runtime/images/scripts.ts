import { quote, quoteAll } from '../../machine/quote.js'
import { IMAGES_DIR } from '../../machine/state-paths.js'

/**
 * What every script of images begins with: where k3s is (a machine tells by itself what runs on it: with k3s, on a host or in a
 * container, containerd and its tools are inside that one program), and which snapshotter its containerd unpacks into. `ctr` asks the
 * environment for the latter, and knows nothing of containerd's configuration.
 */
const PRELUDE = `k=/usr/local/bin/k3s
[ -x "$k" ] || k=$(command -v k3s) || { echo '@@fail no-k3s'; exit 0; }
d=/var/lib/rancher/k3s/agent
s=$(sed -n 's/^[[:space:]]*snapshotter = "\\([a-z-]*\\)"$/\\1/p' "$d/etc/containerd/config.toml" 2>/dev/null | head -n 1)
[ -z "$s" ] || export CONTAINERD_SNAPSHOTTER="$s"
ctr() { "$k" ctr -n k8s.io "$@"; }`

/** Prints what containerd has, for `parseNodeImages`. */
const WHERE = `echo "@@arch $(uname -m)"
echo "@@free $(df -Pk "$d/containerd" 2>/dev/null | awk 'NR==2 { printf "%.0f", $4 * 1024 }')"
echo @@images`
const ANSWERS = `|| { echo '@@fail containerd'; exit 0; }`

/** A script that tells which images and blobs a node's containerd has. */
export function stateScript(): string {
  return `${PRELUDE}
${WHERE}
ctr images check ${ANSWERS}
echo @@blobs
ctr content ls -q ${ANSWERS}
echo @@end`
}

/** What is to be done to the images of a node. */
export interface ImageChange {
  /** New names for images that are there. */
  readonly tags: readonly { readonly from: string; readonly names: readonly string[] }[]
  /** How an archive comes, if one does: on standard input, or as a file that is put where the script says. */
  readonly archive?: 'stdin' | 'file'
  /** Leaves unpacking to containerd's CRI plugin, which does it before the first container of an image is made. */
  readonly packed?: boolean
  /** Image ids, `sha256:…`, that the kubelet must know afterwards. */
  readonly ids: readonly string[]
}

/** How often the script asks whether the kubelet's side of containerd has seen the images: 5 seconds in all. */
const TRIES = 25

/** Where archives lie that are put into a container: on the volume with its containerd, and not where k3s looks for images. */
const ARCHIVES = '/var/lib/rancher/k3s/airlift'

/**
 * Where those lie that every node of a cluster in containers can take: on the volume that all of them have, in a directory that no
 * node links to where k3s looks for images.
 */
export const SHARED = `${IMAGES_DIR}/import`

/**
 * What the script prints ahead of the path that the archive is to have, and of another one, if there is one, where the other
 * nodes see it too.
 */
export const PUT_MARK = '@@put '
/** What it reads ahead of the path where the archive is: one of these two, or the shared one of another node. */
export const ARRIVED = 'arrived '
/** What it prints once it has the archive open, whose name may be taken away from then on. */
export const OPENED_MARK = '@@opened'
/** What it prints once containerd has taken the archive in, or refused it. */
export const IMPORTED_MARK = '@@imported'
/** How it ends where it does not find there what should be shared: the archive has to be put where this node alone has it. */
export const NOT_SHARED = 74

/**
 * Lets an archive be put beside, and opens it as descriptor 3. It belongs to this process, whose id and start are its name:
 * it is gone when the process ends, be it because the operator was killed. What a container left that was killed itself is
 * removed by the next import, which leaves those of processes that still run alone. Once it is open it has no name any more.
 *
 * Where the others take it too it keeps its name until standard input ends, see {@link KEEP}; whoever has opened it by then
 * reads it to its end. What was left there by a node that is no more goes after an hour. Clusters made earlier cannot write there.
 */
const RECEIVE = `began() { { read -r l <"/proc/$1/stat"; } 2>/dev/null || return 0; l=\${l##*) }; set -- $l; echo "\${20}"; }
h=$(uname -n)
now=$(date +%s)
for f in ${ARCHIVES}/import-*-*.tar ${SHARED}/*@*.import-*-*.tar; do
  p=\${f##*import-}; p=\${p%.tar}
  case $f in
    ${SHARED}/"$h"@* | ${ARCHIVES}/*) [ "$(began "\${p%-*}")" = "\${p#*-}" ] || rm -f "$f" 2>/dev/null ;;
    *) t=\${f##*@}; [ "\${t%%.*}" -gt $((now - 3600)) ] 2>/dev/null || rm -f "$f" 2>/dev/null ;;
  esac
done
f=import-$$-$(began $$).tar
own=${ARCHIVES}/$f
common=${SHARED}/$h@$now.$f
trap 'rm -f "$own" \${common:+"$common"}' EXIT; trap 'exit 70' HUP INT TERM PIPE
mkdir -p ${ARCHIVES} || exit 71
{ mkdir -p ${SHARED} && (: >"$common") && rm -f "$common"; } 2>/dev/null || common=
echo "${PUT_MARK}$own\${common:+ $common}"
read -r go from && [ "$go" = ${ARRIVED.trim()} ] || exit 72
{ command exec 3<"$from"; } 2>/dev/null || {
  [ "$from" = "$own" ] || exit ${NOT_SHARED}
  echo "the archive was put into the container, and is not at $from" >&2
  exit 73
}
rm -f "$own"
echo ${OPENED_MARK}`

/** Ends the script of the node that has it for all only when standard input ends, be it because the operator was killed. */
const KEEP = '[ "$from" != "$common" ] || while read -r go; do :; done'

/**
 * All nodes in containers share one computer: ctr's own threads would take turns with those of the others. With one it takes
 * a tenth less of processor time (measured with three nodes on two processors).
 */
const ONE_THREAD = 'export GOMAXPROCS=1'

/**
 * A script that names images anew, imports an archive, waits until the CRI plugin has taken them in (it follows containerd's
 * events, and then keeps each under its id too), and prints the records as {@link stateScript} does.
 *
 * `--local` reads the archive in ctr itself; through the transfer service, the default since containerd 2.0, the same bytes
 * take half as long again (measured with 2.2.4). An older ctr does not know the flag, says so before it reads anything, and
 * reads it itself anyway. Without unpacking it takes two thirds of the processor time.
 */
export function changeScript(change: ImageChange): string {
  const tags = change.tags.map(
    ({ from, names }) =>
      `e=$(ctr images tag --force ${quote(from)} ${quoteAll(names)} 2>&1 >/dev/null </dev/null) || tell tag "$e"`,
  )
  const from = change.archive === 'file' ? ' <&3' : ''
  const packed = change.packed ? '--no-unpack ' : ''
  const importing = [
    ...(change.archive === 'file' ? [ONE_THREAD, RECEIVE] : []),
    `e=$( { ctr images import --local ${packed}-${from} >/dev/null; } 2>&1) || case $e in`,
    `  *'not defined'*local*) e=$( { ctr images import ${packed}-${from} >/dev/null; } 2>&1) || tell import "$e" ;;`,
    '  *) tell import "$e" ;;',
    'esac',
    ...(change.archive === 'file' ? [`exec 3<&-; echo ${IMPORTED_MARK}`] : []),
  ]
  return `${PRELUDE}
bad=
tell() { bad=1; echo "@@failed $1"; printf '%s\\n' "$2" | grep -v level=warning | tail -n 5 >&2; }
${[...tags, ...(change.archive ? importing : [])].join('\n')}
n=0
while :; do
  have=$(ctr images check) || { echo '@@fail containerd'; break; }
  all=1
  for id in ${quoteAll(change.ids)}; do
    case $have in *"$id "*) ;; *) all= ;; esac
  done
  [ -z "$all$bad" ] && [ $n -lt ${TRIES} ] || break
  n=$((n + 1)); sleep 0.2 2>/dev/null || sleep 1
done
${WHERE}
printf '%s\\n' "$have"
echo @@end${change.archive === 'file' ? `\n${KEEP}` : ''}`
}

/** A script that takes names away, such as those of images that did not arrive whole. */
export function removeScript(names: readonly string[]): string {
  return `${PRELUDE}\nctr images rm ${quoteAll(names)} >/dev/null 2>&1\n:`
}

/** A script that prints what the kubelet sees, as JSON of the CRI. */
export function listScript(): string {
  return `${PRELUDE}
echo "@@arch $(uname -m)"
echo @@json
"$k" crictl images -o json || echo '@@fail containerd'`
}
