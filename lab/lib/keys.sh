# shellcheck shell=bash
# What the operator of a lab holds: a key for all hosts, the hosts' own keys (made
# here, so that `fresh` can give a new host the old one), and the files that name them.

ensure_lab_key() {
  need ssh-keygen
  local dir=$1
  mkdir -p "$dir/host-keys"
  chmod 0700 "$dir"
  [ -s "$dir/id_ed25519" ] || ssh-keygen -q -t ed25519 -N '' -C airlift-lab -f "$dir/id_ed25519" </dev/null
}

# ensure_host_key DIR HOST
ensure_host_key() {
  [ -s "$1/host-keys/$2" ] || ssh-keygen -q -t ed25519 -N '' -C "$2" -f "$1/host-keys/$2" </dev/null
}

host_public_key() { cut -d ' ' -f 1-2 "$1/host-keys/$2.pub"; }

# write_inventory LAB: hosts.json, ssh_config and known_hosts from the running engine.
write_inventory() {
  local lab=$1 dir
  dir=$(lab_dir "$lab")
  local name ip kind key jump='' bastion=null hosts='' known='' config=''
  ! network_is_isolated "$lab" || jump="  ProxyJump $lab-bastion"$'\n'
  while read -r name ip kind; do
    key=$(host_public_key "$dir" "$name")
    known+="$ip $key"$'\n'
    config+="Host $name $ip"$'\n'"  HostName $ip"$'\n'
    if [ "$kind" = bastion ]; then
      bastion="{\"name\":\"$name\",\"ip\":\"$ip\",\"port\":22,\"hostKey\":\"$key\"}"
    else
      hosts+="${hosts:+,}"$'\n'"    {\"name\":\"$name\",\"ip\":\"$ip\",\"hostKey\":\"$key\",\"kind\":\"$kind\"}"
      config+=$jump
    fi
  done < <(lab_hosts "$lab")
  local all
  all="$lab-* $(network_prefix "$lab").*"
  [ "$bastion" = null ] || all+=" $(network_prefix "$lab-edge").*"
  write_file "$dir/known_hosts" "$known"
  write_file "$dir/ssh_config" "${config}Host $all
  User root
  IdentityFile $dir/id_ed25519
  IdentitiesOnly yes
  UserKnownHostsFile $dir/known_hosts
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
"
  write_file "$dir/hosts.json" "{
  \"name\": \"$lab\",
  \"network\": \"$lab\",
  \"subnet\": \"$(network_prefix "$lab").0/24\",
  \"key\": \"$dir/id_ed25519\",
  \"sshConfig\": \"$dir/ssh_config\",
  \"knownHosts\": \"$dir/known_hosts\",
  \"hosts\": [$hosts
  ],
  \"bastion\": $bastion
}
"
}

# write_file PATH TEXT: whole or not at all, since tests read while others write.
write_file() {
  printf '%s' "$2" >"$1.part"
  mv "$1.part" "$1"
}
