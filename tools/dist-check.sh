#!/usr/bin/env bash
# Makes the archive of one platform in two checkouts of HEAD: the second under a longer path, by a stricter umask and with an
# empty build cache. Fails unless the bytes are the same.
set -euo pipefail
cd "$(dirname "$0")/.."

sbom=${1:?usage: $0 PROGRAM that writes the bill of materials}
platform=$(go env GOOS)-$(go env GOARCH)
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

git clone -q . "$place/one"
git clone -q . "$place/another/folder/two"
release() { make -C "$1" -o "$sbom" dist "PLATFORMS=$platform" "SBOM=$sbom" > "$place/log" 2>&1 || { cat "$place/log"; exit 1; }; }
release "$place/one"
(umask 077 && GOCACHE="$place/cache" release "$place/another/folder/two")

if ! diff "$place/one/dist/release/SHA256SUMS" "$place/another/folder/two/dist/release/SHA256SUMS"; then
    echo "two checkouts of the same commit make different archives" >&2
    exit 1
fi
echo "two checkouts make the same bytes:"
cat "$place/one/dist/release/SHA256SUMS"
