#!/bin/sh
# Written by inferometer 0.1.0 from plan.json: change that, not this file.
# input: sha256:0000000000000000000000000000000000000000000000000000000000000000
# deployment: 1 x 1 l40s (TP1, q4_k_m, llama.cpp) of llama-3.1-8b
# assumes:
#   * planned for 8 requests/s in the busiest minute; predicted: 20 requests in flight per replica
#   * SLO: ttft p99 <= 2000 ms, tpot p99 <= 50 ms, goodput >= 0.99
#   * weights are those of example/Llama-8B-GGUF:Q4_K_M
#   * at most 7168 tokens a request; the longest planned has 7000
#   * 1 to 1 replicas; l40s at 3 USD/h each
#   * every node with such accelerators has l40s: else state --node-selector
#   * a replica may take 1800 s to load
set -eu
cd "$(dirname "$0")"
exec llama-server \
  --hf-repo \
  example/Llama-8B-GGUF:Q4_K_M \
  --alias \
  llama-3.1-8b \
  --host \
  0.0.0.0 \
  --port \
  8080 \
  --parallel \
  64 \
  --ctx-size \
  458752 \
  --batch-size \
  2048 \
  --cache-type-k \
  f16 \
  --cache-type-v \
  f16 \
  --flash-attn \
  on \
  --n-gpu-layers \
  999 \
  --split-mode \
  none \
  --metrics \
  --slots \
  "$@"
