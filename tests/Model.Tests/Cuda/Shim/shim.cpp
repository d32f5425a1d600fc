// Runs the CUDA kernels' own sources on a processor, for tests. Built by g++ when the tests start:
//   g++ -std=c++20 -O2 -shared -fPIC -ffp-contract=off -mfma -I <this folder> -I <kernels> -o shim.so shim.cpp
#include "device.h"

#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

namespace shim {
Thread *current;
u32 blocks[3], counts[3], threads;
Exchange given[2][32];
u32 turn[32];

namespace {
constexpr u64 stack_bytes = 64 << 10;
constexpr u32 most_threads = 1024;
constexpr u64 canary_bytes = 256;
constexpr u8 canary = 0xCA;

std::string error;
u64 changes = 1;
std::map<u64, u64> memory; // of each block of device memory: where it begins, bytes
void *stacks[most_threads];
void *places[most_threads]; // where each fibre goes on
void *home;
Thread all[most_threads];
void (*work)(const u64 *);
const u64 *arguments;

extern "C" void shim_switch(void **from, void *to);
asm(R"(
.globl shim_switch
.hidden shim_switch
shim_switch:
  push %rbp
  push %rbx
  push %r12
  push %r13
  push %r14
  push %r15
  mov %rsp, (%rdi)
  mov %rsi, %rsp
  pop %r15
  pop %r14
  pop %r13
  pop %r12
  pop %rbx
  pop %rbp
  ret
)");

void begin() {
  work(arguments);
  current->stop = Stop::done;
  void *nowhere;
  shim_switch(&nowhere, home);
  abort();
}

void prepare(u32 index) {
  if (!stacks[index])
    stacks[index] = aligned_alloc(64, stack_bytes);
  u64 *top = (u64 *)((u8 *)stacks[index] + stack_bytes) - 3; // begin finds the stack as a call leaves it: 8 behind a multiple of 16
  *--top = (u64)begin;
  top -= 6;
  memset(top, 0, 6 * sizeof(u64));
  places[index] = top;
  all[index] = {index, Stop::none};
}

void resume(u32 index) {
  current = &all[index];
  current->stop = Stop::none;
  shim_switch(&home, places[index]);
}

// Until every lane of the warp waits at the block's barrier or has ended.
void run_warp(u32 first, u32 last) {
  for (bool again = true; again && error.empty();) {
    for (u32 i = first; i < last && error.empty(); i++)
      if (all[i].stop != Stop::barrier && all[i].stop != Stop::done)
        resume(i);
    const Stop common = all[first].stop;
    again = common == Stop::shuffle || common == Stop::product;
    for (u32 i = first; i < last && error.empty(); i++) {
      const Stop stop = all[i].stop;
      const bool ended = stop == Stop::barrier || stop == Stop::done;
      if (again ? stop != common : !ended)
        error = "the lanes of a warp are at different shuffles or products";
    }
    if (again && last - first != 32)
      error = "a shuffle or product needs all 32 lanes of a warp";
  }
}

void run_block() {
  for (u32 i = 0; i < threads; i++)
    prepare(i);
  for (bool again = true; again && error.empty();) {
    for (u32 first = 0; first < threads && error.empty(); first += 32) {
      memset(turn, 0, sizeof turn);
      run_warp(first, first + 32 < threads ? first + 32 : threads);
    }
    u32 waiting = 0;
    for (u32 i = 0; i < threads; i++)
      waiting += all[i].stop == Stop::barrier;
    if (error.empty() && waiting != 0 && waiting != threads)
      error = "some threads of a block wait at a barrier that others have passed or ended before";
    again = waiting > 0;
    for (u32 i = 0; i < threads && again; i++)
      all[i].stop = Stop::none;
  }
}

template <class... A, u64... I>
void call(void (*kernel)(A...), const u64 *values, std::integer_sequence<u64, I...>) {
  const auto as = []<class T>(const u64 &value) {
    T result;
    memcpy(&result, &value, sizeof result);
    return result;
  };
  kernel(as.template operator()<A>(values[I])...);
}
} // namespace

void wait(Stop stop) {
  Thread *own = current;
  own->stop = stop;
  shim_switch(&places[own->index], home);
  current = own;
}

void fail(const char *rule) {
  if (error.empty())
    error = rule;
  current->stop = Stop::done;
  void *nowhere;
  shim_switch(&nowhere, home);
}

bool is_device_memory(const void *address, u64 bytes) {
  // Neighbours ask for the same few blocks again and again.
  static u64 begins[4], ends[4], turns;
  static u64 known;
  if (known != changes)
    known = changes, memset(begins, 0xFF, sizeof begins), memset(ends, 0, sizeof ends);
  for (u32 i = 0; i < 4; i++)
    if ((u64)address >= begins[i] && (u64)address + bytes <= ends[i])
      return true;
  auto next = memory.upper_bound((u64)address);
  if (next == memory.begin())
    return false;
  auto block = std::prev(next);
  begins[turns % 4] = block->first, ends[turns++ % 4] = block->first + block->second;
  return (u64)address + bytes <= block->first + block->second;
}
} // namespace shim

#include "attention.cu"
#include "product.cu"
#include "rows.cu"
#include "sampling.cu"

template <class... A> void run(void (*kernel)(A...), const u64 *values) { shim::call(kernel, values, std::make_integer_sequence<u64, sizeof...(A)>{}); }

template <class... A> constexpr u32 parameters_of(void (*)(A...)) { return sizeof...(A); }

struct Kernel {
  void (*run)(const u64 *);
  u32 parameters;
};

#define ENTRY(name) {#name, {[](const u64 *values) { run(&name, values); }, parameters_of(&name)}}
static const std::map<std::string, Kernel> kernels = {
    ENTRY(embed_f32),        ENTRY(embed_bf16),       ENTRY(norm_f32),         ENTRY(norm_bf16),     ENTRY(pool),          ENTRY(likelihood),
    ENTRY(keep_f32),         ENTRY(keep_bf16),        ENTRY(copy_prefix),      ENTRY(attend_f32),    ENTRY(attend_bf16_2), ENTRY(attend_bf16_3), ENTRY(attend_bf16_4), ENTRY(attend_bf16_8),   ENTRY(merge_f32),
    ENTRY(merge_bf16),       ENTRY(product_bf16_1x2), ENTRY(product_bf16_2x4), ENTRY(product_bf16_4x4), ENTRY(product_f32_1), ENTRY(product_f32_8),
    ENTRY(draw),
};

extern "C" {
int shim_has(const char *name) { return kernels.count(name) != 0; }

u64 shim_allocate(u64 bytes) {
  u8 *block = (u8 *)aligned_alloc(256, (bytes + 2 * shim::canary_bytes + 255) / 256 * 256);
  if (!block)
    return 0;
  memset(block, shim::canary, shim::canary_bytes);
  memset(block + shim::canary_bytes + bytes, shim::canary, shim::canary_bytes);
  memset(block + shim::canary_bytes, 0xFF, bytes); // no number: what is read before it was written shows
  shim::memory[(u64)block + shim::canary_bytes] = bytes;
  shim::changes++;
  return (u64)block + shim::canary_bytes;
}

void shim_free(u64 address) {
  shim::memory.erase(address);
  shim::changes++;
  free((u8 *)address - shim::canary_bytes);
}

// Null where all went well, else what went wrong; valid until the next call.
const char *shim_launch(const char *name, u32 x, u32 y, u32 z, u32 threads, const u64 *values) {
  shim::error.clear();
  const auto kernel = kernels.find(name);
  if (kernel == kernels.end())
    return "there is no such kernel";
  if (x == 0 || y == 0 || z == 0 || x > 0x7fffffff || y > 65535 || z > 65535 || threads == 0 || threads > shim::most_threads)
    return "a grid has 1 to 2^31 - 1, 65,535 and 65,535 blocks of 1 to 1,024 threads";
  shim::work = kernel->second.run;
  shim::arguments = values;
  shim::threads = threads;
  shim::counts[0] = x, shim::counts[1] = y, shim::counts[2] = z;
  for (shim::blocks[2] = 0; shim::blocks[2] < z; shim::blocks[2]++)
    for (shim::blocks[1] = 0; shim::blocks[1] < y; shim::blocks[1]++)
      for (shim::blocks[0] = 0; shim::blocks[0] < x; shim::blocks[0]++) {
        shim::run_block();
        if (!shim::error.empty())
          return shim::error.c_str();
      }
  for (const auto &[address, bytes] : shim::memory)
    for (u64 i = 0; i < shim::canary_bytes; i++)
      if (((u8 *)address)[-1 - (long)i] != shim::canary || ((u8 *)address)[bytes + i] != shim::canary) {
        memset((u8 *)address - shim::canary_bytes, shim::canary, shim::canary_bytes);
        memset((u8 *)address + bytes, shim::canary, shim::canary_bytes);
        return "something was written outside a block of device memory";
      }
  return nullptr;
}
}
