// What device.h promises a kernel, on a processor: the threads of a block are fibres, blocks run one after the other (shim.cpp). A warp's shuffles and
// products, and a block's barriers, are where fibres stop until all others have come there; who does not come is an error.
#pragma once
#include <cstdint>
#include <cstring>

#define KERNEL extern "C"
#define DEVICE static inline __attribute__((always_inline))
#define DEVICE_METHOD inline
#define SHARED static // blocks run one after the other: one copy is enough

struct alignas(16) u32x4 {
  u32 x[4];
};

namespace shim {
enum class Stop { none, barrier, shuffle, product, done };

struct Thread {
  u32 index;
  Stop stop;
};

extern Thread *current;
extern u32 blocks[3], counts[3], threads;

// What each lane of the current warp gave last, and the time before: a lane that goes on may give again before another one has read.
struct Exchange {
  float value;
  u32 a[4], b[2];
};
extern Exchange given[2][32];
extern u32 turn[32];

void wait(Stop stop);
void fail(const char *rule);
bool is_device_memory(const void *address, u64 bytes);

inline Exchange *exchange(const Exchange &own, Stop stop) {
  const u32 lane = current->index % 32, side = turn[lane]++ % 2;
  given[side][lane] = own;
  wait(stop);
  return given[side];
}
} // namespace shim

static inline u32 thread_index() { return shim::current->index; }
static inline u32 block_x() { return shim::blocks[0]; }
static inline u32 block_y() { return shim::blocks[1]; }
static inline u32 block_z() { return shim::blocks[2]; }
static inline u32 block_size() { return shim::threads; }
static inline u32 block_count() { return shim::counts[0]; }
static inline void barrier() { shim::wait(shim::Stop::barrier); }

static inline u32x4 load16(const void *address) {
  if ((uintptr_t)address % 16 != 0)
    shim::fail("a load of 16 bytes must be at a multiple of 16");
  if (!shim::is_device_memory(address, 16))
    shim::fail("a load of 16 bytes must be within one block of device memory");
  u32x4 value;
  memcpy(&value, address, 16);
  return value;
}

static inline void store16(void *address, u32x4 value) {
  if ((uintptr_t)address % 16 != 0)
    shim::fail("a store of 16 bytes must be at a multiple of 16");
  if (!shim::is_device_memory(address, 16))
    shim::fail("a store of 16 bytes must be within one block of device memory");
  memcpy(address, &value, 16);
}

static inline float shuffle_xor(float value, u32 mask) {
  const u32 lane = shim::current->index % 32;
  return shim::exchange({value, {}, {}}, shim::Stop::shuffle)[lane ^ mask].value;
}

static inline u32 lanes_sum(u32 value) {
  const shim::Exchange *all = shim::exchange({0, {value}, {}}, shim::Stop::shuffle);
  u32 sum = 0;
  for (u32 i = 0; i < 32; i++)
    sum += all[i].a[0];
  return sum;
}

static inline u32 lanes_least(u32 value) {
  const shim::Exchange *all = shim::exchange({0, {value}, {}}, shim::Stop::shuffle);
  u32 least = value;
  for (u32 i = 0; i < 32; i++)
    least = all[i].a[0] < least ? all[i].a[0] : least;
  return least;
}

static inline int lanes_greatest(int value) {
  const shim::Exchange *all = shim::exchange({0, {(u32)value}, {}}, shim::Stop::shuffle);
  int greatest = value;
  for (u32 i = 0; i < 32; i++)
    greatest = (int)all[i].a[0] > greatest ? (int)all[i].a[0] : greatest;
  return greatest;
}

static inline u32 pack_bf16(float first, float second) {
  const auto round = [](float value) -> u32 {
    u32 bits;
    memcpy(&bits, &value, 4);
    return value != value ? 0x7fff : (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  };
  return round(first) | round(second) << 16;
}

// As PTX lays the fragments out; sums in float32, one product after the other.
static inline void multiply_bf16(float (&d)[4], const u32 (&a)[4], const u32 (&b)[2]) {
  const u32 lane = shim::current->index % 32, group = lane / 4, pair = lane % 4;
  shim::Exchange own{0, {a[0], a[1], a[2], a[3]}, {b[0], b[1]}};
  const shim::Exchange *all = shim::exchange(own, shim::Stop::product);
  const auto number = [](u32 word, u32 half) {
    const u32 bits = half ? word & 0xffff0000 : word << 16;
    float value;
    memcpy(&value, &bits, 4);
    return value;
  };
  for (u32 i = 0; i < 4; i++) {
    const u32 row = group + i / 2 * 8, column = pair * 2 + i % 2;
    for (u32 k = 0; k < 16; k++) {
      const float left = number(all[row % 8 * 4 + k % 8 / 2].a[row / 8 + k / 8 * 2], k % 2);
      const float right = number(all[column * 4 + k % 8 / 2].b[k / 8], k % 2);
      d[i] += left * right;
    }
  }
}
