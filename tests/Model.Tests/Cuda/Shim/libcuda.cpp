// A CUDA driver whose device is this processor: the functions that CudaDriver calls, over the shim, so that whole processes run on "CUDA" where there is none.
//   g++ -std=c++20 -O2 -shared -fPIC -ffp-contract=off -mfma -Wl,-soname,libcuda.so.1 -I <this folder> -I <kernels> -o libcuda.so.1 libcuda.cpp
// IGPT_SHIM_DEVICES: how many devices (1). IGPT_SHIM_MEMORY: bytes of each (1 GiB). IGPT_SHIM_FAULT: once this file is there, it is removed and the device fails as one
// with a memory error does: every call of every context fails until the last context is gone.
#include "shim.cpp"

#include <fcntl.h>
#include <mutex>
#include <unistd.h>

namespace {
constexpr int success = 0, invalid = 1, out_of_memory = 2, no_kernel = 500, launch_failed = 719, memory_error = 214;

struct Launch {
  std::string name;
  u32 x, y, z, threads;
  std::vector<u64> values;
};

using Graph = std::vector<Launch>;

struct Stream {
  bool is_recording;
  Graph recorded;
};

std::recursive_mutex lock; // the shim runs one block at a time
u64 contexts, used;
int sticky;

u64 number(const char *name, u64 otherwise) {
  const char *text = getenv(name);
  return text ? strtoull(text, nullptr, 10) : otherwise;
}

u64 total() { return number("IGPT_SHIM_MEMORY", 1ull << 30); }

int state() {
  const char *fault = getenv("IGPT_SHIM_FAULT");
  if (fault && contexts > 0 && unlink(fault) == 0)
    sticky = memory_error;
  return sticky;
}

int run_now(const Launch &launch) {
  const char *error = shim_launch(launch.name.c_str(), launch.x, launch.y, launch.z, launch.threads, launch.values.data());
  if (!error)
    return state();
  fprintf(stderr, "%s: %s\n", launch.name.c_str(), error);
  return sticky = launch_failed;
}
} // namespace

#define CALL(name, ...) extern "C" int name(__VA_ARGS__)
#define LOCKED std::lock_guard guard(lock)

CALL(cuInit, u32) { return total() ? success : invalid; }
CALL(cuGetErrorName, int error, const char **text) {
  *text = error == memory_error ? "CUDA_ERROR_ECC_UNCORRECTABLE" : error == out_of_memory ? "CUDA_ERROR_OUT_OF_MEMORY" : "CUDA_ERROR";
  return success;
}
CALL(cuGetErrorString, int error, const char **text) {
  *text = error == memory_error ? "uncorrectable ECC error encountered" : error == out_of_memory ? "out of memory" : "an error of the shim";
  return success;
}
CALL(cuDriverGetVersion, int *version) { return *version = 13000, success; }
CALL(cuDeviceGetCount, int *count) { return *count = (int)number("IGPT_SHIM_DEVICES", 1), success; }
CALL(cuDeviceGet, int *device, int ordinal) { return *device = ordinal, success; }
CALL(cuDeviceGetName, char *name, int length, int device) { return snprintf(name, length, "processor as CUDA device %d", device), success; }
CALL(cuDeviceGetPCIBusId, char *name, int length, int device) { return snprintf(name, length, "0000:%02x:00.0", device), success; }
CALL(cuDeviceGetAttribute, int *value, int attribute, int) { return *value = attribute == 75 ? 9 : attribute == 76 ? 0 : 1, success; }
CALL(cuDeviceTotalMem_v2, u64 *bytes, int) { return *bytes = total(), success; }
CALL(cuDevicePrimaryCtxRetain, u64 *context, int device) {
  LOCKED;
  contexts++;
  return *context = device + 1, success;
}
CALL(cuDevicePrimaryCtxRelease_v2, int) {
  LOCKED;
  if (--contexts == 0)
    sticky = success;
  return success;
}
CALL(cuCtxSetCurrent, u64) { return success; }
CALL(cuMemGetInfo_v2, u64 *free, u64 *all) {
  LOCKED;
  *free = total() - used, *all = total();
  return state();
}
CALL(cuMemAlloc_v2, u64 *address, u64 bytes) {
  LOCKED;
  if (state())
    return sticky;
  if (used + bytes > total())
    return out_of_memory;
  *address = shim_allocate(bytes), used += bytes;
  return success;
}
CALL(cuMemFree_v2, u64 address) {
  LOCKED;
  used -= shim::memory[address];
  shim_free(address);
  return sticky;
}
CALL(cuMemHostAlloc, void **address, u64 bytes, u32) { return (*address = malloc(bytes)) ? success : out_of_memory; }
CALL(cuMemFreeHost, void *address) { return free(address), success; }
CALL(cuMemcpyHtoDAsync_v2, u64 target, const void *source, u64 bytes, Stream *stream) {
  LOCKED;
  if (stream->is_recording || !shim::is_device_memory((void *)target, bytes))
    return invalid;
  memcpy((void *)target, source, bytes);
  return state();
}
CALL(cuMemcpyDtoHAsync_v2, void *target, u64 source, u64 bytes, Stream *stream) {
  LOCKED;
  if (stream->is_recording || !shim::is_device_memory((void *)source, bytes))
    return invalid;
  memcpy(target, (void *)source, bytes);
  return state();
}
CALL(cuModuleLoadDataEx, u64 *module, const char *image, u32, int *, void **) {
  *module = 1;
  return strstr(image, ".entry") ? success : invalid;
}
CALL(cuModuleUnload, u64) { return success; }
CALL(cuModuleGetFunction, const char **function, u64, const char *name) {
  const auto kernel = kernels.find(name);
  if (kernel == kernels.end())
    return no_kernel;
  *function = kernel->first.c_str();
  return success;
}
CALL(cuLaunchKernel, const char *function, u32 x, u32 y, u32 z, u32 threads, u32, u32, u32, Stream *stream, void **parameters, void **) {
  LOCKED;
  Launch launch{function, x, y, z, threads, {}};
  for (u32 i = 0; i < kernels.at(function).parameters; i++)
    launch.values.push_back(*(u64 *)parameters[i]); // a value of 4 bytes takes the lower half of what lies there
  if (!stream->is_recording)
    return run_now(launch);
  stream->recorded.push_back(launch);
  return success;
}
CALL(cuStreamCreate, Stream **stream, u32) { return *stream = new Stream{}, success; }
CALL(cuStreamDestroy_v2, Stream *stream) { return delete stream, success; }
CALL(cuStreamSynchronize, Stream *) {
  LOCKED;
  return state();
}
CALL(cuStreamBeginCapture_v2, Stream *stream, int) { return stream->is_recording = true, success; }
CALL(cuStreamEndCapture, Stream *stream, Graph **graph) {
  *graph = new Graph(stream->recorded);
  *stream = {};
  return success;
}
CALL(cuGraphInstantiateWithFlags, Graph **executable, Graph *graph, u64) { return *executable = new Graph(*graph), success; }
CALL(cuGraphLaunch, Graph *graph, Stream *) {
  LOCKED;
  for (const Launch &launch : *graph)
    if (const int error = run_now(launch))
      return error;
  return success;
}
CALL(cuGraphExecDestroy, Graph *graph) { return delete graph, success; }
CALL(cuGraphDestroy, Graph *graph) { return delete graph, success; }
CALL(cuEventCreate, u64 *handle, u32) { return *handle = 1, success; }
CALL(cuEventRecord, u64, Stream *) { return success; }
CALL(cuEventSynchronize, u64) { return state(); }
CALL(cuEventElapsedTime, float *milliseconds, u64, u64) { return *milliseconds = 1, success; }
CALL(cuEventDestroy_v2, u64) { return success; }

// The management library: what is loaded by its name finds it here, too.
CALL(nvmlInit_v2) { return success; }
CALL(nvmlDeviceGetHandleByPciBusId_v2, const char *bus, u64 *device) { return *device = strtoul(bus + 5, nullptr, 16) + 1, success; }
CALL(nvmlDeviceGetMemoryInfo, u64, u64 *memory) {
  LOCKED;
  memory[0] = total(), memory[1] = total() - used, memory[2] = used;
  return success;
}
CALL(nvmlDeviceGetUtilizationRates, u64, u32 *percent) { return percent[0] = 25, percent[1] = 10, success; }
