#!/usr/bin/env bash
# Makes vectors/ anew with the incumbents' own code. Run by hand, with Go and a checkout of
# external-secrets v2.9.0:
#
#     controller/template/golden/generate.sh PATH_TO_EXTERNAL_SECRETS
#
# Nothing of that checkout is kept here.
set -euo pipefail
golden=$(cd "$(dirname "$0")" && pwd)
checkout=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cp -r "$golden/sealed" "$golden/eso" "$work"
cp "$golden/render.go" "$work/sealed"
cp "$golden/render.go" "$work/eso"

upstream=$checkout/runtime/template/v2
mkdir -p "$work/eso/v2"
cp -r "$upstream/sprig" "$work/eso/v2/sprig"
for file in decrypt jwk pem pem_chain pkcs12 yaml; do
	cp "$upstream/$file.go" "$work/eso/v2/"
done
# The map and the constants, without what reads and writes Kubernetes objects.
{
	echo 'package template'
	echo 'import ("maps"; tpl "text/template"; "golden/eso/v2/sprig")'
	sed -n '/^var tplFuncs/,/^}/p' "$upstream/template.go"
	sed -n '/^const (/,/^)/{p;/^)/q}' "$upstream/template.go"
	echo 'func Functions() tpl.FuncMap { all := maps.Clone(tplFuncs); maps.Copy(all, sprig.TxtFuncMap()); return all }'
} >"$work/eso/v2/template.go"

for dialect in sealed eso; do
	(cd "$work/$dialect" && go run -mod=mod . "$golden" "$golden/vectors")
	cp "$work/$dialect/go.mod" "$work/$dialect/go.sum" "$golden/$dialect/"
done
