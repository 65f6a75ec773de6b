#!/bin/sh
# Written by inferometer 0.1.0 from plan.json: change that, not this file.
# input: sha256:0000000000000000000000000000000000000000000000000000000000000000
# deployment: 2 x 2 h100-sxm (TP2, fp8+kv-fp8, trtllm) of llama-3.1-70b
# assumes:
#   * planned for 8 requests/s in the busiest minute; predicted: 20 requests in flight per replica
#   * SLO: ttft p99 <= 2000 ms, tpot p99 <= 50 ms, goodput >= 0.99
#   * weights are those of nvidia/Llama-3.1-70B-Instruct-FP8
#   * at most 7168 tokens a request; the longest planned has 7000
#   * 1 to 2 replicas; h100-sxm at 3 USD/h each
#   * every node with such accelerators has h100-sxm: else state --node-selector
#   * a replica may take 1800 s to load
set -eu
cd "$(dirname "$0")"
exec trtllm-serve nvidia/Llama-3.1-70B-Instruct-FP8 \
  --backend=pytorch \
  --host=0.0.0.0 \
  --port=8000 \
  --tp_size=2 \
  --pp_size=1 \
  --ep_size=1 \
  --max_batch_size=64 \
  --max_num_tokens=2048 \
  --max_seq_len=7168 \
  --kv_cache_free_gpu_memory_fraction=0.9 \
  --extra_llm_api_options=trtllm.yaml \
  "$@"
