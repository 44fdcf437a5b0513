#!/usr/bin/env bash
# Builds libraries that stand in for NVIDIA's driver, cuBLAS, cuRAND, runtime and NVML, for a CUDA build of finetop on a machine without a GPU.
# They show what the program does with memory, and nothing else: no kernel runs, every result is zero. What they do is in fake_cuda.c.
# usage: tests/peer/fake_cuda.sh FINETOP FOLDER && LD_LIBRARY_PATH=FOLDER/cuda:FOLDER/nvml FAKE_CUDA_BYTES=300000000 FINETOP train …
#   FAKE_CUDA_BYTES          what the card has (1 GiB)            FAKE_CUDA_CONTEXT_BYTES  what a context takes of it (32 MiB)
#   FAKE_CUDA_OTHERS         what others hold, or a file with it  FAKE_CUDA_CUBLAS_BYTES   what a cuBLAS handle takes (4 MiB)
#   FAKE_CUDA_FAIL=name:nth[:code]  one call fails (nth 0: all)   FAKE_CUDA_LATE_FREE=1    freed bytes count as used until a synchronisation
#   FAKE_CUDA_POOLS=0        a card without memory pools          FAKE_NVML_PID            the process's id as the driver counts
#   FAKE_CUDA_LOG=FILE       a line at exit: what was given out at most, what was not given back, what was asked wrongly
set -euo pipefail
finetop=${1:?usage: fake_cuda.sh FINETOP FOLDER} dir=${2:?usage: fake_cuda.sh FINETOP FOLDER}
here=$(cd "$(dirname "$0")" && pwd); mkdir -p "$dir/cuda" "$dir/nvml"
undefined=$(nm -D --undefined-only "$finetop" | awk '{print $NF}')

# usage: library DEFINE SONAME PREFIX FOLDER [LIBRARY]…
library() {
    local define=$1 soname=$2 prefix=$3 out=$dir/$4; shift 4
    echo "$soname { global: *; };" > "$dir/$soname.map"
    local build=(cc -shared -fPIC -O1 -Wall -Wextra "-D$define" "-Wl,-soname,$soname" -o "$out/$soname" "$here/fake_cuda.c")
    # Only the driver's names have no version.
    [ "$define" = DRIVER ] || [ "$define" = NVML ] || build+=("-Wl,--version-script=$dir/$soname.map")
    : > "$dir/$define.missing"
    "${build[@]}" "$@" -lpthread -ldl
    local had; had=$(nm -D --defined-only "$out/$soname" | awk '{print $NF}' | sed 's/@.*//')
    comm -23 <(sed 's/@.*//' <<<"$undefined" | grep -E "$prefix" | sort -u) <(sort -u <<<"$had") |
        sed 's/.*/MISSING_FUNCTION(&)/' > "$dir/$define.missing"
    [ -s "$dir/$define.missing" ] || return 0
    "${build[@]}" "-DMISSING=\"$dir/$define.missing\"" "$@" -lpthread -ldl
    echo "$soname: $(wc -l < "$dir/$define.missing") functions that only say their names"
}
library DRIVER libcuda.so.1 '^cu[A-Z]' cuda
library CUBLAS libcublas.so.13 '^cublas' cuda "$dir/cuda/libcuda.so.1"
library CURAND libcurand.so.10 '^curand' cuda
library RUNTIME libcudart.so.13 '^(__)?cuda[A-Z]' cuda
library NVML libnvidia-ml.so.1 '^nvml' nvml
LD_LIBRARY_PATH=$dir/cuda "$finetop" --version
