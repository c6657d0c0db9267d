/** Firewalls that hold up what comes in, and what rewrites their rules. Needs `$daemons` of the section about the host. */
export const firewallSection = `
# One question for all services: each costs the machine as much as ten files.
running=' ' enabled=' '
if has systemctl; then
  unit=
  services=$(limit 5 systemctl show -p Id -p ActiveState -p UnitFileState firewalld.service nftables.service nm-cloud-setup.service nm-cloud-setup.timer 2>/dev/null)
  for entry in $services; do
    case $entry in
      Id=*) unit=${'${entry#Id=}'} ;;
      ActiveState=active | ActiveState=reloading) running="$running$unit " ;;
      UnitFileState=enabled | UnitFileState=enabled-runtime | UnitFileState=static | UnitFileState=indirect | UnitFileState=generated) enabled="$enabled$unit " ;;
    esac
  done
fi
case "$running$daemons" in *firewalld*) kv firewall firewalld ;; esac
if grep -qs '^ENABLED=yes' /etc/ufw/ufw.conf; then kv firewall ufw; fi
version=$(limit 3 iptables -V 2>/dev/null)
kv iptables "$version"
nf_tables=0
if [ -d /sys/module/nf_tables ] || [ -d /proc/sys/net/netfilter ]; then nf_tables=1; fi
if [ -L /run/openrc/started/nftables ]; then running="$running"'nftables.service '; fi
# A chain closes by its policy, or by a rule that is for everything that comes in, or comes in by one device.
if [ "$nf_tables" = 1 ] && has nft && [ "${'${running#* nftables.service }'}" != "$running" ]; then
  if limit 3 nft list ruleset 2>/dev/null | sed -n '/hook input/,/^[[:space:]]*}$/p' |
    grep -Eq 'hook input.*policy (drop|reject)|^[[:space:]]*(iif(name)? (!= )?"[^"]*" +)?(counter( packets [0-9]+ bytes [0-9]+)? )?(log (prefix "[^"]*" )?)?(drop|reject)( with [^"]*)?( comment ".*")?$'; then
    kv firewall nftables
  fi
fi
case $version in
  *nf_tables*) look=$nf_tables ;;
  *) look=0; if [ -s /proc/net/ip_tables_names ]; then look=1; fi ;;
esac
if [ "$look" = 1 ] && limit 3 iptables -w 2 -S INPUT 2>/dev/null |
  grep -Eq '^-P INPUT DROP|^-A INPUT(( !)? -i [^ ]+)?( -m comment --comment ("[^"]*"|[^" ]+))? -j (DROP$|REJECT)'; then
  kv firewall iptables
fi
case $enabled in *' nm-cloud-setup'*) kv nmCloudSetup yes ;; esac
`
