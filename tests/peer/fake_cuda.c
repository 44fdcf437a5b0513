/* NVIDIA's driver and libraries as far as memory goes, for a machine without a GPU: `fake_cuda.sh` builds them from this one source, with
 * DRIVER, CUBLAS, CURAND, RUNTIME or NVML defined. Memory is real, and counted as the driver's stream-ordered pool counts it; copies and fills are
 * done. No kernel runs and no product is computed: every result is zero, since memory is given out zeroed. Everything is done at once.
 * Source: CUDA driver API, "Memory Management", "Stream Ordered Memory Allocator"; NVML API. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define KIB 1024ull
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
typedef unsigned long long u64;

__attribute__((unused)) static u64 number(const char *name, u64 otherwise) {
    const char *text = getenv(name);
    return text && *text ? strtoull(text, NULL, 0) : otherwise;
}

/* FAKE_CUDA_FAIL=name:nth[:code]: the nth call (from 1; 0: every call) of that function answers `code`, else its library's out of memory. */
__attribute__((unused)) static int fails(const char *function, int out_of_memory) {
    static u64 calls;
    const char *what = getenv("FAKE_CUDA_FAIL");
    size_t length = strlen(function);
    if (!what || strncmp(what, function, length) || what[length] != ':') return 0;
    char *end;
    u64 nth = strtoull(what + length + 1, &end, 0), now = __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED);
    if (nth && nth != now) return 0;
    return *end == ':' ? atoi(end + 1) : out_of_memory;
}

typedef struct { u64 total, free, used, reserved, context, others; } account;

#ifdef DRIVER
enum { OK = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, NOT_THERE = 999, NO_DEVICE = 100, INVALID_DEVICE = 101, INVALID_CONTEXT = 201, ILLEGAL_ADDRESS = 700, CONTEXT_IS_DESTROYED = 709 };
#define FAIL(name) do { int code = fails(name, OUT_OF_MEMORY); if (code) return code; } while (0)
#define NEEDS_CONTEXT do { if (!current) return INVALID_CONTEXT; if (current != context_handle()) return CONTEXT_IS_DESTROYED; } while (0)

/* The pool takes blocks of the card's memory and gives out pieces of them; freed neighbours become one again. */
typedef struct piece { u64 at, size; int used; struct piece *next; } piece;
typedef struct block { char *base; u64 size; piece *pieces; struct block *next; } block;
typedef struct { block *blocks; u64 used, used_high, reserved, reserved_high, used_ever, reserved_ever, threshold; } pool;
/* `pooled` is the driver's pool; `direct` what cuMemAlloc gives out. */
static pool pooled, direct;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static u64 total, context_bytes, allocations, frees, refusals, launches, wrong, late_bytes, retained, contexts, trims, trimmed_to;
static int frees_late, pools;
static __thread void *current;

static void *context_handle(void) { return retained ? (void *)(0xC0DE0000 + contexts) : NULL; }

__attribute__((constructor)) static void begin(void) {
    total = number("FAKE_CUDA_BYTES", GIB);
    context_bytes = number("FAKE_CUDA_CONTEXT_BYTES", 32 * MIB);
    frees_late = (int)number("FAKE_CUDA_LATE_FREE", 0);
    pools = (int)number("FAKE_CUDA_POOLS", 1);
}

/* FAKE_CUDA_OTHERS: bytes that other processes hold, or a file that says how many now. */
static u64 others(void) {
    const char *text = getenv("FAKE_CUDA_OTHERS");
    if (!text || (*text != '/' && *text != '.')) return number("FAKE_CUDA_OTHERS", 0);
    u64 bytes = 0;
    FILE *file = fopen(text, "r");
    if (file) { if (fscanf(file, "%llu", &bytes) != 1) bytes = 0; fclose(file); }
    return bytes;
}

static u64 free_bytes(void) {
    u64 held = pooled.reserved + direct.reserved + others() + (retained ? context_bytes : 0);
    return held < total ? total - held : 0;
}

/* For the fake NVML. */
void fake_cuda_account(account *a) {
    pthread_mutex_lock(&lock);
    *a = (account){ total, free_bytes(), pooled.used + direct.used, pooled.reserved + direct.reserved, retained ? context_bytes : 0, others() };
    pthread_mutex_unlock(&lock);
}

/* At exit, what was given out: a line for FAKE_CUDA_LOG, to hold the program's own figures against. */
__attribute__((destructor)) static void end(void) {
    const char *path = getenv("FAKE_CUDA_LOG");
    FILE *file = path ? fopen(path, "a") : NULL;
    if (!file) return;
    fprintf(file, "{\"used\":%llu,\"used_high\":%llu,\"reserved\":%llu,\"reserved_high\":%llu,\"direct_used\":%llu,\"direct_high\":%llu,"
        "\"allocations\":%llu,\"frees\":%llu,\"refusals\":%llu,\"launches\":%llu,\"wrong\":%llu,\"contexts\":%llu,\"retained\":%llu,\"trims\":%llu,\"trimmed_to\":%llu}\n",
        pooled.used, pooled.used_ever, pooled.reserved, pooled.reserved_ever, direct.used, direct.used_ever, allocations, frees, refusals, launches,
        wrong, contexts, retained, trims, trimmed_to);
    fclose(file);
}

static void *must(void *p) { if (!p) { fputs("fake_cuda: the host has no memory\n", stderr); abort(); } return p; }

/* From the smallest hole that is large enough. */
static u64 carve(pool *of, u64 size) {
    block *in = NULL; piece *best = NULL;
    for (block *b = of->blocks; b; b = b->next)
        for (piece *p = b->pieces; p; p = p->next)
            if (!p->used && p->size >= size && (!best || p->size < best->size)) { in = b; best = p; }
    if (!best) return 0;
    if (best->size > size) {
        piece *rest = must(malloc(sizeof *rest));
        *rest = (piece){ best->at + size, best->size - size, 0, best->next };
        best->next = rest; best->size = size;
    }
    best->used = 1;
    of->used += size;
    if (of->used > of->used_high) of->used_high = of->used;
    if (of->used > of->used_ever) of->used_ever = of->used;
    return (u64)(uintptr_t)in->base + best->at;
}

/* Gives whole blocks back to the card until no more than `keep` bytes are reserved. */
static void trim(pool *of, u64 keep) {
    for (block **at = &of->blocks; *at;) {
        block *b = *at;
        if (of->reserved <= keep || b->pieces->used || b->pieces->next) { at = &b->next; continue; }
        *at = b->next;
        of->reserved -= b->size;
        munmap(b->base, b->size); free(b->pieces); free(b);
    }
}

static int grow(pool *of, u64 size) {
    u64 whole = (size + 2 * MIB - 1) / (2 * MIB) * (2 * MIB), wanted = of == &pooled && whole < 32 * MIB ? 32 * MIB : whole;
    if (free_bytes() < wanted) { trim(&pooled, 0); trim(&direct, 0); }
    if (free_bytes() < wanted) wanted = whole;
    if (free_bytes() < wanted) return 0;
    block *b = must(malloc(sizeof *b));
    b->base = mmap(NULL, wanted, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (b->base == MAP_FAILED) must(NULL);
    b->size = wanted; b->pieces = must(malloc(sizeof *b->pieces)); *b->pieces = (piece){ 0, wanted, 0, NULL };
    b->next = of->blocks; of->blocks = b;
    of->reserved += wanted;
    if (of->reserved > of->reserved_high) of->reserved_high = of->reserved;
    if (of->reserved > of->reserved_ever) of->reserved_ever = of->reserved;
    return 1;
}

static piece *find(pool *of, u64 address, u64 size, block **in, piece **before) {
    for (block *b = of->blocks; b; b = b->next) {
        u64 base = (u64)(uintptr_t)b->base;
        if (address < base || address >= base + b->size) continue;
        *before = NULL;
        for (piece *p = b->pieces; p; *before = p, p = p->next)
            if (address >= base + p->at && address + (size ? size : 1) <= base + p->at + p->size && p->used) { *in = b; return p; }
    }
    return NULL;
}

static int let_go(pool *of, u64 address) {
    block *b; piece *before, *p = find(of, address, 0, &b, &before);
    if (!p || (u64)(uintptr_t)b->base + p->at != address) { wrong++; return INVALID_VALUE; }
    /* What is given out again is zero: the host takes whole pages back, and gives zeroed ones. */
    u64 from = (address + 4095) & ~4095ull, to = (address + p->size) & ~4095ull;
    if (to > from && to - from > 64 * KIB) {
        madvise((void *)(uintptr_t)from, to - from, MADV_DONTNEED);
        memset((void *)(uintptr_t)address, 0, from - address);
        memset((void *)(uintptr_t)to, 0, address + p->size - to);
    } else memset((void *)(uintptr_t)address, 0, p->size);
    p->used = 0; of->used -= p->size;
    if (p->next && !p->next->used) { piece *n = p->next; p->size += n->size; p->next = n->next; free(n); }
    if (before && !before->used) { before->size += p->size; before->next = p->next; free(p); }
    return OK;
}

static void synchronised(void) {
    pthread_mutex_lock(&lock);
    late_bytes = 0;
    if (pooled.reserved > pooled.threshold) trim(&pooled, pooled.threshold);
    pthread_mutex_unlock(&lock);
}

static int allocate(pool *of, u64 *address, u64 size, const char *name) {
    NEEDS_CONTEXT;
    if (!size) { wrong++; return INVALID_VALUE; }
    size = (size + 511) / 512 * 512;
    pthread_mutex_lock(&lock);
    allocations++;
    int code = fails(name, OUT_OF_MEMORY);
    u64 got = code ? 0 : carve(of, size);
    if (!code && !got && grow(of, size)) got = carve(of, size);
    if (!got) { refusals++; code = code ? code : OUT_OF_MEMORY; }
    pthread_mutex_unlock(&lock);
    if (got) *address = got;
    return code;
}

int cuMemAllocAsync(u64 *p, size_t n, void *stream) { (void)stream; return allocate(&pooled, p, n, "cuMemAllocAsync"); }
int cuMemAlloc_v2(u64 *p, size_t n) { return allocate(&direct, p, n, "cuMemAlloc_v2"); }

static int give_back(pool *of, u64 p, int may_be_late) {
    NEEDS_CONTEXT;
    pthread_mutex_lock(&lock);
    frees++;
    int code = OK;
    u64 was = of->used;
    code = let_go(of, p);
    if (may_be_late && frees_late) late_bytes += was - of->used;
    if (of == &direct) trim(of, 0);
    pthread_mutex_unlock(&lock);
    return code;
}
int cuMemFreeAsync(u64 p, void *stream) { (void)stream; FAIL("cuMemFreeAsync"); return give_back(&pooled, p, 1); }
int cuMemFree_v2(u64 p) { return give_back(&direct, p, 0); }

/* Whether these bytes lie within one allocation. */
static int given(u64 p, u64 n) {
    block *b; piece *before;
    pthread_mutex_lock(&lock);
    int is = find(&pooled, p, n, &b, &before) || find(&direct, p, n, &b, &before);
    if (!is) wrong++;
    pthread_mutex_unlock(&lock);
    return is;
}
static int copy(void *to, const void *from, u64 device_a, u64 device_b, u64 n, const char *name) {
    NEEDS_CONTEXT;
    FAIL(name);
    if (!n) return OK;
    if (!given(device_a, n) || (device_b && !given(device_b, n))) return ILLEGAL_ADDRESS;
    memmove(to, from, n);
    return OK;
}
#define AT(p) ((void *)(uintptr_t)(p))
int cuMemcpyHtoDAsync_v2(u64 d, const void *s, size_t n, void *st) { (void)st; return copy(AT(d), s, d, 0, n, "cuMemcpyHtoDAsync_v2"); }
int cuMemcpyDtoHAsync_v2(void *d, u64 s, size_t n, void *st) {
    (void)st;
    int code = copy(d, AT(s), s, 0, n, "cuMemcpyDtoHAsync_v2");
    /* Memory that is not pinned is copied before the call comes back. */
    synchronised();
    return code;
}
int cuMemcpyDtoDAsync_v2(u64 d, u64 s, size_t n, void *st) { (void)st; return copy(AT(d), AT(s), d, s, n, "cuMemcpyDtoDAsync_v2"); }
int cuMemcpyPeerAsync(u64 d, void *dc, u64 s, void *sc, size_t n, void *st) { (void)dc; (void)sc; (void)st; return copy(AT(d), AT(s), d, s, n, "cuMemcpyPeerAsync"); }
int cuMemsetD8Async(u64 d, unsigned char c, size_t n, void *st) {
    (void)st;
    NEEDS_CONTEXT;
    if (n && !given(d, n)) return ILLEGAL_ADDRESS;
    memset(AT(d), c, n);
    return OK;
}
int cuMemGetInfo_v2(size_t *available, size_t *in_all) {
    NEEDS_CONTEXT;
    FAIL("cuMemGetInfo_v2");
    account a;
    fake_cuda_account(&a);
    *available = a.free; *in_all = a.total;
    return OK;
}

enum { THRESHOLD = 4, RESERVED = 5, RESERVED_HIGH = 6, USED = 7, USED_HIGH = 8 };
int cuDeviceGetMemPool(void **p, int device) { (void)device; *p = &pooled; return retained ? OK : INVALID_CONTEXT; }
int cuMemPoolGetAttribute(pool *p, int which, u64 *value) {
    FAIL("cuMemPoolGetAttribute");
    pthread_mutex_lock(&lock);
    u64 counted = p->used + late_bytes;
    u64 all[] = { p->threshold, p->reserved, p->reserved_high, counted < p->reserved ? counted : p->reserved, p->used_high };
    pthread_mutex_unlock(&lock);
    if (which < THRESHOLD || which > USED_HIGH) return INVALID_VALUE;
    *value = all[which - THRESHOLD];
    return OK;
}
int cuMemPoolSetAttribute(pool *p, int which, u64 *value) {
    int is_mark = which == RESERVED_HIGH || which == USED_HIGH;
    /* A mark can only be set to zero: it starts anew. */
    if ((which != THRESHOLD && !is_mark) || (is_mark && *value)) return INVALID_VALUE;
    pthread_mutex_lock(&lock);
    if (which == THRESHOLD) p->threshold = *value;
    if (which == RESERVED_HIGH) p->reserved_high = p->reserved;
    if (which == USED_HIGH) p->used_high = p->used;
    pthread_mutex_unlock(&lock);
    return OK;
}
int cuMemPoolTrimTo(pool *p, size_t keep) { pthread_mutex_lock(&lock); trims++; trim(p, keep); trimmed_to = p->reserved; pthread_mutex_unlock(&lock); return OK; }

int cuInit(unsigned flags) { (void)flags; FAIL("cuInit"); return OK; }
int cuDeviceGet(int *d, int ordinal) { *d = ordinal; return ordinal == 0 ? OK : INVALID_DEVICE; }
int cuDeviceGetCount(int *n) { *n = 1; return OK; }
int cuDeviceGetName(char *name, int n, int d) { (void)d; snprintf(name, n, "a card that is not there"); return OK; }
int cuDeviceTotalMem_v2(size_t *n, int d) { (void)d; *n = total; return OK; }
/* 75, 76: compute capability 9.0. 115: memory pools. */
int cuDeviceGetAttribute(int *v, int which, int d) { (void)d; *v = which == 75 ? 9 : which == 76 ? 0 : which == 115 ? pools : 1; return OK; }
int cuDeviceGetUuid_v2(unsigned char *uuid, int d) { (void)d; for (int i = 0; i < 16; i++) uuid[i] = 0x10 + i; return OK; }

int cuDevicePrimaryCtxRetain(void **c, int d) {
    (void)d;
    FAIL("cuDevicePrimaryCtxRetain");
    pthread_mutex_lock(&lock);
    int fits = retained || free_bytes() >= context_bytes;
    if (fits && !retained++) contexts++;
    pthread_mutex_unlock(&lock);
    *c = context_handle();
    return fits ? OK : OUT_OF_MEMORY;
}
int cuDevicePrimaryCtxRelease_v2(int d) {
    (void)d;
    pthread_mutex_lock(&lock);
    int was = retained > 0;
    if (was && !--retained && pooled.used + direct.used) { wrong++; fputs("fake_cuda: the context went while memory was in use\n", stderr); }
    pthread_mutex_unlock(&lock);
    return was ? OK : INVALID_CONTEXT;
}
int cuCtxDestroy_v2(void *c) { (void)c; return INVALID_CONTEXT; }
int cuCtxGetCurrent(void **c) { *c = current; return OK; }
int cuCtxSetCurrent(void *c) { if (c && c != context_handle()) return CONTEXT_IS_DESTROYED; current = c; return OK; }
int cuCtxSynchronize(void) { NEEDS_CONTEXT; FAIL("cuCtxSynchronize"); synchronised(); return OK; }

int cuStreamSynchronize(void *s) { (void)s; NEEDS_CONTEXT; FAIL("cuStreamSynchronize"); synchronised(); return OK; }
int cuStreamCreate(void **s, unsigned f) { (void)f; *s = malloc(1); return OK; }
int cuStreamDestroy_v2(void *s) { free(s); return OK; }
int cuStreamWaitEvent(void *s, void *e, unsigned f) { (void)s; (void)e; (void)f; return OK; }
int cuStreamIsCapturing(void *s, int *is) { (void)s; *is = 0; return OK; }
int cuEventCreate(void **e, unsigned f) { (void)f; NEEDS_CONTEXT; FAIL("cuEventCreate"); *e = must(malloc(1)); return OK; }
int cuEventDestroy_v2(void *e) { free(e); return OK; }
int cuEventRecord(void *e, void *s) { (void)e; (void)s; return OK; }

int cuModuleLoad(void **m, const char *name) { (void)name; *m = must(malloc(1)); return OK; }
int cuModuleLoadData(void **m, const void *image) { (void)image; NEEDS_CONTEXT; FAIL("cuModuleLoadData"); *m = must(malloc(1)); return OK; }
int cuModuleUnload(void *m) { free(m); return OK; }
int cuModuleGetFunction(void **f, void *m, const char *name) { *f = m; (void)name; return OK; }
int cuLaunchKernel(void *f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared, void *s, void **p, void **e) {
    (void)f; (void)shared; (void)s; (void)p; (void)e;
    NEEDS_CONTEXT;
    FAIL("cuLaunchKernel");
    launches++;
    /* As the driver: nothing can be launched on nothing. */
    if (gx && gy && gz && bx && by && bz) return OK;
    wrong++;
    return INVALID_VALUE;
}
int cuGetErrorString(int code, const char **text) {
    *text = code == OUT_OF_MEMORY ? "out of memory" : code == NO_DEVICE ? "no CUDA-capable device is detected" : "as the fake driver was told";
    return OK;
}
#endif

#ifdef CUBLAS
enum { NOT_THERE = 1, ALLOC_FAILED = 3 };
int cuMemAlloc_v2(u64 *p, size_t n);
int cuMemFree_v2(u64 p);
/* A workspace, as the library takes one outside of the pool. */
int cublasCreate_v2(void **h) {
    int code = fails("cublasCreate_v2", ALLOC_FAILED);
    u64 *held = calloc(1, sizeof *held);
    if (code || !held || cuMemAlloc_v2(held, number("FAKE_CUDA_CUBLAS_BYTES", 4 * MIB))) { free(held); return code ? code : ALLOC_FAILED; }
    *h = held;
    return 0;
}
int cublasDestroy_v2(u64 *h) { cuMemFree_v2(*h); free(h); return 0; }
int cublasSetStream_v2(void *h, void *s) { (void)h; (void)s; return 0; }
int cublasDgemmStridedBatched(void *h) { (void)h; return fails("cublasDgemmStridedBatched", ALLOC_FAILED); }
int cublasGemmStridedBatchedEx(void *h) { (void)h; return fails("cublasGemmStridedBatchedEx", ALLOC_FAILED); }
#endif

#ifdef CURAND
enum { NOT_THERE = 101, ALLOCATION_FAILED = 102 };
int curandCreateGenerator(void **g, int kind) { (void)kind; *g = malloc(1); return fails("curandCreateGenerator", ALLOCATION_FAILED); }
int curandDestroyGenerator(void *g) { free(g); return 0; }
int curandSetPseudoRandomGeneratorSeed(void *g, u64 s) { (void)g; (void)s; return 0; }
int curandSetStream(void *g, void *s) { (void)g; (void)s; return 0; }
#endif

#ifdef RUNTIME
/* What code compiled by nvcc calls before `main`, and to launch. */
enum { NOT_THERE = 999 };
static void *handle;
void **__cudaRegisterFatBinary(void *b) { (void)b; return &handle; }
void __cudaRegisterFatBinaryEnd(void **h) { (void)h; }
void __cudaUnregisterFatBinary(void **h) { (void)h; }
void __cudaRegisterFunction(void **h) { (void)h; }
void __cudaRegisterVar(void **h) { (void)h; }
unsigned __cudaPushCallConfiguration(void) { return 0; }
int __cudaPopCallConfiguration(void) { return 0; }
int __cudaGetKernel(void **k, const void *f) { *k = (void *)f; return 0; }
int __cudaLaunchKernel_ptsz(void) { return 0; }
int cudaFuncSetAttribute(void) { return 0; }
int cudaGetDevice(int *d) { *d = 0; return 0; }
#endif

#ifdef NVML
enum { OK = 0, INVALID = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6, TOO_SMALL = 7, LOST = 15 };
typedef struct { unsigned version; u64 total, reserved, free, used; } memory;
typedef struct { unsigned pid; u64 used; unsigned gpu, compute; } process;
static account now(void) {
    account a = { 80 * GIB, 80 * GIB, 0, 0, 0, 0 };
    void (*ask)(account *) = (void (*)(account *))dlsym(RTLD_DEFAULT, "fake_cuda_account");
    if (ask) ask(&a);
    return a;
}
int nvmlInit_v2(void) { return OK; }
int nvmlShutdown(void) { return OK; }
int nvmlSystemGetDriverVersion(char *v, unsigned n) { strncpy(v, "580.00", n); return OK; }
int nvmlDeviceGetHandleByIndex_v2(unsigned i, void **d) { *d = (void *)1; return i == 0 ? OK : INVALID; }
int nvmlDeviceGetHandleByUUID(const char *u, void **d) { *d = (void *)1; return strcmp(u, "GPU-10111213-1415-1617-1819-1a1b1c1d1e1f") ? NOT_FOUND : OK; }
int nvmlDeviceGetMemoryInfo_v2(void *d, memory *m) {
    (void)d;
    int code = fails("nvmlDeviceGetMemoryInfo_v2", LOST);
    if (code) return code;
    account a = now();
    m->total = a.total; m->reserved = 0; m->free = a.free; m->used = a.total - a.free;
    return OK;
}
/* FAKE_NVML_PID: the id by which the driver knows this process, another one in a container. */
int nvmlDeviceGetComputeRunningProcesses_v3(void *d, unsigned *n, process *p) {
    (void)d;
    unsigned had = *n; *n = 2;
    if (had < 2 || !p) return TOO_SMALL;
    account a = now();
    p[0] = (process){ 1, a.others, ~0u, ~0u };
    p[1] = (process){ (unsigned)number("FAKE_NVML_PID", (u64)getpid()), a.reserved + a.context, ~0u, ~0u };
    return OK;
}
int nvmlDeviceGetUtilizationRates(void *d, unsigned *u) { (void)d; u[0] = 97; u[1] = 40; return OK; }
int nvmlDeviceGetTemperature(void *d, int s, unsigned *t) { (void)d; (void)s; *t = 64; return OK; }
int nvmlDeviceGetPowerUsage(void *d, unsigned *p) { (void)d; (void)p; return NOT_SUPPORTED; }
#endif

#ifdef MISSING
/* What `fake_cuda.sh` finds the program to want and this file not to have: MISSING(name) for each. */
#define MISSING_FUNCTION(name) int name(void) { fprintf(stderr, "fake_cuda: %s is not there\n", #name); return NOT_THERE; }
#include MISSING
#endif
