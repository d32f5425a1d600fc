// What a kernel needs of CUDA's headers, for clang without a CUDA toolkit (eng/gpu/build-ptx.sh), or for g++ on a processor, where the tests run the same
// sources: host.h then gives the same names (tests/Model.Tests/Cuda/Shim).
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#if defined(__CUDA__)

#define KERNEL extern "C" __attribute__((global))
#define DEVICE static inline __attribute__((device, always_inline))
#define DEVICE_METHOD __attribute__((device, always_inline)) inline
#define SHARED __attribute__((shared)) static

struct __attribute__((aligned(16))) u32x4 {
  u32 x[4];
};

DEVICE u32 thread_index() { return __nvvm_read_ptx_sreg_tid_x(); }
DEVICE u32 block_x() { return __nvvm_read_ptx_sreg_ctaid_x(); }
DEVICE u32 block_y() { return __nvvm_read_ptx_sreg_ctaid_y(); }
DEVICE u32 block_z() { return __nvvm_read_ptx_sreg_ctaid_z(); }
DEVICE u32 block_size() { return __nvvm_read_ptx_sreg_ntid_x(); }
DEVICE u32 block_count() { return __nvvm_read_ptx_sreg_nctaid_x(); }

// All threads of the block.
DEVICE void barrier() { __syncthreads(); }

// 16 bytes at once; the address is a multiple of 16.
DEVICE u32x4 load16(const void *address) {
  u32x4 value;
  asm volatile("ld.global.v4.u32 {%0, %1, %2, %3}, [%4];" : "=r"(value.x[0]), "=r"(value.x[1]), "=r"(value.x[2]), "=r"(value.x[3]) : "l"(address) : "memory");
  return value;
}

DEVICE void store16(void *address, u32x4 value) {
  asm volatile("st.global.v4.u32 [%0], {%1, %2, %3, %4};" : : "l"(address), "r"(value.x[0]), "r"(value.x[1]), "r"(value.x[2]), "r"(value.x[3]) : "memory");
}

// The value of the lane whose number differs by the mask's bits; all 32 lanes of the warp take part.
DEVICE float shuffle_xor(float value, u32 mask) {
  float other;
  asm volatile("shfl.sync.bfly.b32 %0, %1, %2, 31, 0xffffffff;" : "=f"(other) : "f"(value), "r"(mask));
  return other;
}

// Sum, least and greatest of all 32 lanes' numbers.
DEVICE u32 lanes_sum(u32 value) {
  u32 sum;
  asm volatile("redux.sync.add.u32 %0, %1, 0xffffffff;" : "=r"(sum) : "r"(value));
  return sum;
}

DEVICE u32 lanes_least(u32 value) {
  u32 least;
  asm volatile("redux.sync.min.u32 %0, %1, 0xffffffff;" : "=r"(least) : "r"(value));
  return least;
}

DEVICE int lanes_greatest(int value) {
  int greatest;
  asm volatile("redux.sync.max.s32 %0, %1, 0xffffffff;" : "=r"(greatest) : "r"(value));
  return greatest;
}

// Two numbers as bfloat16, to the nearest, ties to even; the first in the lower half.
DEVICE u32 pack_bf16(float first, float second) {
  u32 both;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(both) : "f"(second), "f"(first));
  return both;
}

// d += a · b of a warp: a is 16 × 16 and b is 16 × 8 in bfloat16, d is 16 × 8 in float32; who holds what:
// PTX ISA, "Matrix Fragments for mma.m16n8k16 with floating point type".
DEVICE void multiply_bf16(float (&d)[4], const u32 (&a)[4], const u32 (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

#else
#include "host.h"
#endif
