#!/bin/sh
# Written by inferometer 0.1.0 from plan.json: change that, not this file.
# input: sha256:0000000000000000000000000000000000000000000000000000000000000000
# deployment: 2 x 4 h100-sxm (TP4, bf16, vllm) of llama-3.1-70b
# assumes:
#   * planned for 8 requests/s in the busiest minute; predicted: 20 requests in flight per replica
#   * SLO: ttft p99 <= 2000 ms, tpot p99 <= 50 ms, goodput >= 0.99
#   * weights are those of meta-llama/Llama-3.1-70B
#   * at most 7168 tokens a request; the longest planned has 7000
#   * 1 to 2 replicas; h100-sxm at 3 USD/h each
#   * every node with such accelerators has h100-sxm: else state --node-selector
#   * a replica may take 1800 s to load
set -eu
cd "$(dirname "$0")"
exec vllm serve meta-llama/Llama-3.1-70B \
  --served-model-name=llama-3.1-70b \
  --host=0.0.0.0 \
  --port=8000 \
  --tensor-parallel-size=4 \
  --pipeline-parallel-size=1 \
  --data-parallel-size=1 \
  --max-model-len=7168 \
  --max-num-seqs=64 \
  --max-num-batched-tokens=2048 \
  --gpu-memory-utilization=0.9 \
  --kv-cache-dtype=auto \
  --enable-prefix-caching \
  --enable-prompt-tokens-details \
  "$@"
