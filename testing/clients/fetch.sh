#!/bin/sh
# Fetches every file of a list by ticket and by pre-authorized URI with curl, and compares the bytes.
# usage: fetch.sh BASE CA HEADERS LIST
# HEADERS holds `name: value` lines; LIST holds `url path <TAB> local file` lines.
set -eu
base=$1 ca=$2 headers=$3 list=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# One curl with one pool for each of the three passes: a thousand processes would only measure the shell.
n=0
tab=$(printf '\t')
while IFS="$tab" read -r path local; do
    n=$((n + 1))
    printf 'url = "%s%s"\noutput = "%s/t%d"\n' "$base" "$path" "$work" "$n" >>"$work/by-ticket"
    printf 'url = "%s%s"\noutput = "%s/h%d"\n' "$base" "$path" "$work" "$n" >>"$work/heads"
done <"$list"
run() { curl --silent --show-error --fail --max-time 300 --cacert "$ca" "$@"; }
run --header "@$headers" --config "$work/by-ticket"
run --head --header "@$headers" --config "$work/heads"
i=0
while [ "$i" -lt "$n" ]; do
    i=$((i + 1))
    uri=$(tr -d '\r' <"$work/h$i" | sed -n 's/^x-preauth-uri: //Ip')
    printf 'url = "%s%s"\noutput = "%s/u%d"\n' "$base" "$uri" "$work" "$i" >>"$work/by-uri"
done
run --config "$work/by-uri"
i=0
while IFS="$tab" read -r path local; do
    i=$((i + 1))
    cmp "$local" "$work/t$i"
    cmp "$local" "$work/u$i"
done <"$list"
echo "$n identical"
