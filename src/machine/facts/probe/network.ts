import { quote } from '../../quote.js'

/** Addresses, routes, lengths of packets, listeners, name servers, proxies. Where `ip` or `ss` is missing, /proc says it. */
export function networkSection(routeTo: readonly string[]): string {
  return String.raw`
if has ip && addresses=$(ip -o addr show 2>/dev/null); then
  text ipAddr "$addresses"
  open ipRoute; ip route show 2>/dev/null | head -n 500; shut
  open ipRoute6; ip -6 route show 2>/dev/null | head -n 500; shut
else
  send fibTrie /proc/net/fib_trie
fi
send procRoute /proc/net/route
open mtus; grep -H '' /sys/class/net/*/mtu 2>/dev/null; shut
send ifInet6 /proc/net/if_inet6
for protocol in tcp tcp6 udp udp6; do
  case $protocol in tcp*) listens=' 0A ' ;; *) listens=' 07 ' ;; esac
  if [ -r "/proc/net/$protocol" ]; then open "sockets.$protocol"; grep "$listens" "/proc/net/$protocol"; shut; fi
done
if has ss; then open ss; limit 5 ss -H -lntup 2>/dev/null; shut; fi
if has ip; then
  address=
  for name in ${routeTo.map(quote).join(' ')}; do
    case $name in
      *:*) address=$name ;;
      # Debian's /etc/hosts gives the machine itself 127.0.1.1.
      *[!0-9.]*) address=$(limit 5 getent ahosts "$name" 2>/dev/null | sed -n -e '/^127\./d' -e '/^::1/d' -e '/^fe80:/d' -e 's/[[:space:]].*//p' -e q) ;;
      *) address=$name ;;
    esac
    if [ -n "$address" ]; then break; fi
  done
  if [ -n "$address" ]; then
    kv routeTo "$address"
    open routeGet; ip -o route get "$address" 2>/dev/null; shut
  fi
fi
send resolv /etc/resolv.conf
kv resolvPath "$(readlink -f /etc/resolv.conf 2>/dev/null || echo /etc/resolv.conf)"
send resolved /run/systemd/resolve/resolv.conf
{ env; cat /etc/environment /etc/default/k3s /etc/sysconfig/k3s 2>/dev/null; } |
  sed -n 's/^\(export \)\{0,1\}\([Hh][Tt][Tt][Pp][Ss]\{0,1\}_[Pp][Rr][Oo][Xx][Yy]\|[Nn][Oo]_[Pp][Rr][Oo][Xx][Yy]\|ALL_PROXY\|all_proxy\)=..*/proxy	\2/p'
`
}
