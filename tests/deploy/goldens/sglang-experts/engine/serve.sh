#!/bin/sh
# Written by inferometer 0.1.0 from plan.json: change that, not this file.
# input: sha256:0000000000000000000000000000000000000000000000000000000000000000
# deployment: 4 x 8 h200-sxm (TP1 DP8 EP, fp8+kv-fp8, sglang) of deepseek-v3
# assumes:
#   * planned for 8 requests/s in the busiest minute; predicted: 20 requests in flight per replica
#   * SLO: ttft p99 <= 2000 ms, tpot p99 <= 50 ms, goodput >= 0.99
#   * weights are those of deepseek-ai/DeepSeek-V3
#   * at most 7168 tokens a request; the longest planned has 7000
#   * 2 to 6 replicas; h200-sxm at 3 USD/h each
#   * pods land on nodes labelled gpu=h200
#   * a replica may take 1800 s to load
set -eu
cd "$(dirname "$0")"
exec python3 -m sglang.launch_server \
  --model-path=deepseek-ai/DeepSeek-V3 \
  --served-model-name=deepseek-v3 \
  --host=0.0.0.0 \
  --port=30000 \
  --tp-size=8 \
  --pp-size=1 \
  --dp-size=8 \
  --enable-dp-attention \
  --ep-size=8 \
  --context-length=7168 \
  --max-running-requests=512 \
  --chunked-prefill-size=16384 \
  --mem-fraction-static=0.88 \
  --kv-cache-dtype=fp8_e4m3 \
  --enable-metrics \
  --enable-cache-report \
  "$@"
