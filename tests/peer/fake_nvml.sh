#!/usr/bin/env bash
# Builds a library that answers as NVIDIA's management library does, for a machine without a GPU, and reads it through the real wrapper.
# usage: tests/peer/fake_nvml.sh [FOLDER]    Needs cc. By hand: `cargo test` must do with cargo alone.
set -euo pipefail
dir=${1:-$(mktemp -d)}; mkdir -p "$dir"; dir=$(cd "$dir" && pwd)
cat > "$dir/nvml.c" <<'C'
#include <string.h>
#include <unistd.h>
/* One GPU of 80 GiB; 60 are used, 40 of them by whoever asks. */
#define GIB (1ull << 30)
enum { OK = 0, INVALID = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6, TOO_SMALL = 7 };
typedef struct { unsigned version; unsigned long long total, reserved, free, used; } memory;
typedef struct { unsigned pid; unsigned long long used; unsigned gpu, compute; } process;
int nvmlInit_v2(void) { return OK; }
int nvmlShutdown(void) { return OK; }
int nvmlSystemGetDriverVersion(char *v, unsigned n) { strncpy(v, "580.00", n); return OK; }
int nvmlDeviceGetHandleByIndex_v2(unsigned i, void **d) { *d = (void *)1; return i == 0 ? OK : INVALID; }
int nvmlDeviceGetHandleByUUID(const char *u, void **d) { (void)u; (void)d; return NOT_FOUND; }
int nvmlDeviceGetMemoryInfo_v2(void *d, memory *m) {
    (void)d; m->total = 80 * GIB; m->reserved = GIB; m->used = 60 * GIB; m->free = 19 * GIB; return OK;
}
int nvmlDeviceGetComputeRunningProcesses_v3(void *d, unsigned *n, process *p) {
    (void)d;
    unsigned had = *n; *n = 2;
    if (had < 2 || !p) return TOO_SMALL;
    p[0] = (process){ 1, 20 * GIB, ~0u, ~0u };
    p[1] = (process){ (unsigned)getpid(), 40 * GIB, ~0u, ~0u };
    return OK;
}
int nvmlDeviceGetUtilizationRates(void *d, unsigned *u) { (void)d; u[0] = 97; u[1] = 40; return OK; }
int nvmlDeviceGetTemperature(void *d, int s, unsigned *t) { (void)d; (void)s; *t = 64; return OK; }
int nvmlDeviceGetPowerUsage(void *d, unsigned *p) { (void)d; (void)p; return NOT_SUPPORTED; }
C
cc -shared -fPIC -Wall -Wextra -o "$dir/libnvidia-ml.so.1" "$dir/nvml.c"
cd "$(dirname "$0")/../.."
said=$(LD_LIBRARY_PATH=$dir cargo test --lib -- --exact --nocapture \
    memory::probe::nvml::tests::a_live_gpu_says_numbers_that_fit_and_without_one_there_is_quietly_none)
echo "$said"
grep -q "used_bytes: Some($((40 << 30))), total_bytes: Some($((80 << 30))), free_bytes: Some($((19 << 30))), others_bytes: Some($((20 << 30)))" <<<"$said"
grep -q "utilisation_percent: Some(97), temperature_celsius: Some(64), power_watts: None" <<<"$said"
echo "the fake library was read as it should be"
