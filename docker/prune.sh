#!/bin/sh
# Leaves of an installation what an image needs: `prune.sh cpu|vulkan|cuda`, in the folder with node_modules.
set -eu
variant=$1
binaries=node_modules/@node-llama-cpp

# Node 24 is a development dependency, and stays.
mv node_modules/node/bin/node /tmp/node
npm prune --omit=dev --omit=peer --ignore-scripts
mkdir -p node_modules/node/bin node_modules/.bin
mv /tmp/node node_modules/node/bin/node
strip --strip-unneeded node_modules/node/bin/node
ln -sf ../node/bin/node node_modules/.bin/node

case $(uname -m) in
  x86_64) own=linux-x64 ;;
  aarch64) own=linux-arm64 ;;
  *) echo "There are no binaries for $(uname -m)." >&2; exit 1 ;;
esac
for folder in "$binaries"/*; do
  case $(basename "$folder") in
    "$own") ;;
    "$own-vulkan") [ "$variant" = vulkan ] || rm -rf "$folder" ;;
    # Both: the one for CUDA 13 names the other as its fallback.
    "$own-cuda" | "$own-cuda-ext") [ "$variant" = cuda ] || rm -rf "$folder" ;;
    *) rm -rf "$folder" ;;
  esac
done

# The source of llama.cpp, and what only compilers and people read.
rm -f node_modules/node-llama-cpp/llama/gitRelease.bundle
rm -rf node_modules/typescript node_modules/@typescript node_modules/@types node_modules/.cache
find node_modules -type f \( -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' -o -name '*.map' \
  -o -iname 'readme*' -o -iname 'changelog*' \) -delete
# Their TypeScript sources; what runs is beside them.
rm -rf node_modules/openai/src node_modules/@anthropic-ai/sdk/src node_modules/zod/src
rm -rf scripts/kernels scripts/bench scripts/tiny-models scripts/gguf scripts/*.ts scripts/*.py
find node_modules -type d -empty -delete
