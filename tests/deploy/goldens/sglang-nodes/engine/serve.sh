#!/bin/sh
# Written by inferometer 0.1.0 from plan.json: change that, not this file.
# input: sha256:0000000000000000000000000000000000000000000000000000000000000000
# deployment: 2 x 16 h100-sxm (TP8 PP2, bf16, sglang) of llama-3.1-405b
# assumes:
#   * planned for 8 requests/s in the busiest minute; predicted: 20 requests in flight per replica
#   * SLO: ttft p99 <= 2000 ms, tpot p99 <= 50 ms, goodput >= 0.99
#   * weights are those of meta-llama/Llama-3.1-405B
#   * at most 7168 tokens a request; the longest planned has 7000
#   * 1 to 2 replicas; h100-sxm at 3 USD/h each
#   * every node with such accelerators has h100-sxm: else state --node-selector
#   * a replica may take 1800 s to load
set -eu
cd "$(dirname "$0")"
exec python3 -m sglang.launch_server \
  --model-path=meta-llama/Llama-3.1-405B \
  --served-model-name=llama-3.1-405b \
  --host=0.0.0.0 \
  --port=30000 \
  --tp-size=8 \
  --pp-size=2 \
  --dp-size=1 \
  --ep-size=1 \
  --context-length=7168 \
  --max-running-requests=64 \
  --chunked-prefill-size=2048 \
  --mem-fraction-static=0.88 \
  --kv-cache-dtype=auto \
  --enable-metrics \
  --enable-cache-report \
  --dist-init-addr="${LWS_LEADER_ADDRESS}":20000 \
  --nnodes=2 \
  --node-rank="${LWS_WORKER_INDEX}" \
  "$@"
