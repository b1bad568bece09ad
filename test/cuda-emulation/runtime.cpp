// The runtime's calls.
#include <cuda_emulation.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstring>
#include <map>
#include <memory>
#include <vector>

#include "calls.h"
#include "fault.h"
#include "memory.h"
#include "streams.h"

using namespace cuda_emulation;

namespace {

constexpr int emulated_version = 12040;

/// The call's status when it was made to fail.
cudaError_t refused(bool is_allocation = false) {
  return remember(is_allocation ? cudaErrorMemoryAllocation : cudaErrorLaunchFailure);
}

#define CALL_OR_FAIL(...)           \
  CUDA_EMULATION_CALL(__VA_ARGS__); \
  if (call.fails()) return refused()

// What gives back does so even when it is made to fail, as calls do that report an error of earlier work.

// Handles that were destroyed stay: their addresses must not come back as other handles.
template <class T>
T* made() {
  static auto* const all = new std::vector<std::unique_ptr<T>>;
  all->push_back(std::make_unique<T>());
  return all->back().get();
}

CUmemPoolHandle_st* default_pool() {
  static int place;
  return reinterpret_cast<CUmemPoolHandle_st*>(&place);
}

std::uint64_t threshold = 0;

void check_pool(cudaMemPool_t pool) {
  if (pool != default_pool()) fault("pool is not the device's default pool");
}

/// The host's bytes, without a crash where there are none any more.
bool read_host(const void* source, void* destination, std::size_t bytes) {
  const iovec from{const_cast<void*>(source), bytes};
  const iovec to{destination, bytes};
  return process_vm_readv(getpid(), &to, 1, &from, 1, 0) == static_cast<ssize_t>(bytes);
}

std::uint64_t hash_of(const void* memory, std::size_t bytes, std::uint64_t hash = 0xcbf29ce484222325) {
  const auto* at = static_cast<const std::byte*>(memory);
  for (; bytes >= 8; at += 8, bytes -= 8) {
    std::uint64_t word;
    std::memcpy(&word, at, 8);
    hash = (hash ^ word) * 0x9e3779b97f4a7c15;
    hash ^= hash >> 29;
  }
  for (; bytes > 0; ++at, --bytes) hash = (hash ^ static_cast<std::uint64_t>(*at)) * 0x100000001b3;
  return hash;
}

/// Reads the source when its turn comes, as a device does, and not when it was named.
void copy_to_device(std::byte* destination, const std::byte* source, std::size_t bytes, std::uint64_t hash) {
  check_alive("destination", destination, bytes, false);
  std::vector<std::byte> arrived(bytes);
  if (!read_host(source, arrived.data(), bytes))
    fault("the source is gone when the copy's turn comes: " + describe(source));
  if (hash_of(arrived.data(), bytes) != hash)
    fault("the source changed before the copy's turn came: " + describe(source));
  std::memcpy(destination, arrived.data(), bytes);
  mark_initialised(destination, bytes);
  give_back(source, bytes);
}

/// Uninitialised bytes may be copied, and stay so.
void copy_inside(std::byte* destination, const std::byte* source, std::size_t bytes) {
  check_alive("source", source, bytes, false);
  check_alive("destination", destination, bytes, false);
  std::memcpy(destination, source, bytes);
  std::memcpy(&state_of(reinterpret_cast<std::uintptr_t>(destination)),
              &state_of(reinterpret_cast<std::uintptr_t>(source)), bytes);
}

}  // namespace

std::uint64_t cuda_emulation::release_threshold() { return threshold; }

extern "C" {

const char* cudaGetErrorName(cudaError_t error) {
  switch (error) {
    case cudaSuccess: return "cudaSuccess";
    case cudaErrorInvalidValue: return "cudaErrorInvalidValue";
    case cudaErrorMemoryAllocation: return "cudaErrorMemoryAllocation";
    case cudaErrorCudartUnloading: return "cudaErrorCudartUnloading";
    case cudaErrorInsufficientDriver: return "cudaErrorInsufficientDriver";
    case cudaErrorNoDevice: return "cudaErrorNoDevice";
    case cudaErrorNoKernelImageForDevice: return "cudaErrorNoKernelImageForDevice";
    case cudaErrorLaunchOutOfResources: return "cudaErrorLaunchOutOfResources";
    case cudaErrorLaunchFailure: return "cudaErrorLaunchFailure";
  }
  return "unrecognized error code";
}

const char* cudaGetErrorString(cudaError_t error) {
  switch (error) {
    case cudaSuccess: return "no error";
    case cudaErrorInvalidValue: return "invalid argument";
    case cudaErrorMemoryAllocation: return "out of memory";
    case cudaErrorCudartUnloading: return "driver shutting down";
    case cudaErrorInsufficientDriver: return "CUDA driver version is insufficient for CUDA runtime version";
    case cudaErrorNoDevice: return "no CUDA-capable device is detected";
    case cudaErrorNoKernelImageForDevice: return "no kernel image is available for execution on the device";
    case cudaErrorLaunchOutOfResources: return "too many resources requested for launch";
    case cudaErrorLaunchFailure: return "unspecified launch failure";
  }
  return "unrecognized error code";
}

cudaError_t cudaGetLastError() { return forget_last_error(); }

// --- the device -----------------------------------------------------------------------------------------------------

cudaError_t cudaGetDeviceCount(int* count) {
  const Call call("cudaGetDeviceCount", list_arguments("count", count), false);
  check_host("count", count, sizeof(int));
  *count = 1;
  return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  const Call call("cudaGetDeviceProperties", list_arguments("properties, device", properties, device), false);
  check_host("properties", properties, sizeof *properties);
  if (device != 0) fault("there is device 0 alone");
  *properties = {};
  std::strcpy(properties->name, "emulated");
  properties->totalGlobalMem = total();
  properties->major = 8;
  properties->minor = 0;
  return cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int* version) {
  const Call call("cudaDriverGetVersion", list_arguments("version", version), false);
  check_host("version", version, sizeof(int));
  *version = emulated_version;
  return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int* version) {
  const Call call("cudaRuntimeGetVersion", list_arguments("version", version), false);
  check_host("version", version, sizeof(int));
  *version = emulated_version;
  return cudaSuccess;
}

// --- streams and events ---------------------------------------------------------------------------------------------

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned int flags) {
  CALL_OR_FAIL(stream, flags);
  check_host("stream", stream, sizeof *stream);
  if (flags != cudaStreamNonBlocking) fault("flags must be cudaStreamNonBlocking");
  *stream = made<CUstream_st>();
  add_handle("stream", *stream);
  return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  CALL_OR_FAIL(stream);
  check_stream(stream);
  wait_for(stream, stream->queued);
  return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  CUDA_EMULATION_CALL(stream);
  check_stream(stream);
  // What is queued is done all the same; but nobody can wait for it any more.
  if (abandon(stream) > 0 && !has_failed()) fault("copies to the host are on their way, and nobody waited for them");
  remove_handle("stream", stream);
  return call.fails() ? refused() : cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned int flags) {
  CALL_OR_FAIL(event, flags);
  check_host("event", event, sizeof *event);
  if (flags != cudaEventDisableTiming) fault("flags must be cudaEventDisableTiming");
  *event = made<CUevent_st>();
  add_handle("event", *event);
  return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  CALL_OR_FAIL(event, stream);
  check_handle("event", event);
  check_stream(stream);
  event->stream = stream;
  event->ticket = stream->queued;
  return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  CALL_OR_FAIL(event);
  check_handle("event", event);
  if (event->stream != nullptr) wait_for(event->stream, event->ticket);
  return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  CUDA_EMULATION_CALL(event);
  check_handle("event", event);
  remove_handle("event", event);
  return call.fails() ? refused() : cudaSuccess;
}

// --- memory ---------------------------------------------------------------------------------------------------------

cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  const Call call("cudaMemGetInfo", list_arguments("free, total", free, total), false);
  check_host("free", free, sizeof *free);
  check_host("total", total, sizeof *total);
  *total = cuda_emulation::total();
  *free = *total - std::min(*total, in_use());
  return cudaSuccess;
}

cudaError_t cudaMallocAsync(void** memory, size_t bytes, cudaStream_t stream) {
  CUDA_EMULATION_CALL(memory, bytes, stream);
  if (call.fails()) return refused(true);
  check_host("memory", memory, sizeof *memory);
  check_stream(stream);
  if (bytes == 0) fault("what an allocation of no bytes gives is written nowhere");
  void* begin = reserve(bytes);
  if (begin == nullptr) return remember(cudaErrorMemoryAllocation);
  *memory = begin;
  enqueue(stream, [begin] { begin_life(begin); });
  return cudaSuccess;
}

cudaError_t cudaFreeAsync(void* memory, cudaStream_t stream) {
  CUDA_EMULATION_CALL(memory, stream);
  check_stream(stream);
  const std::size_t before = in_use();
  condemn(memory);
  stream->freed_when_done += before - in_use();
  enqueue(stream, [memory] { end_life(memory); });
  return call.fails() ? refused() : cudaSuccess;
}

cudaError_t cudaMallocHost(void** memory, size_t bytes) {
  CUDA_EMULATION_CALL(memory, bytes);
  if (call.fails()) return refused(true);
  check_host("memory", memory, sizeof *memory);
  if (bytes == 0) fault("what an allocation of no bytes gives is written nowhere");
  *memory = pin(bytes);
  return remember(*memory == nullptr ? cudaErrorMemoryAllocation : cudaSuccess);
}

cudaError_t cudaFreeHost(void* memory) {
  CUDA_EMULATION_CALL(memory);
  if (is_in_flight(memory, pinned_bytes(memory))) {
    if (!has_failed()) fault("a copy from or to this memory has not been waited for");
    finish_everything();
  }
  unpin(memory);
  return call.fails() ? refused() : cudaSuccess;
}

cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t* pool, int device) {
  CALL_OR_FAIL(pool, device);
  check_host("pool", pool, sizeof *pool);
  if (device != 0) fault("there is device 0 alone");
  *pool = default_pool();
  return cudaSuccess;
}

cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t pool, cudaMemPoolAttr attribute, void* value) {
  CALL_OR_FAIL(pool, attribute, value);
  check_pool(pool);
  check_host("value", value, sizeof(std::uint64_t));
  if (attribute != cudaMemPoolAttrReleaseThreshold) fault("attribute is not cudaMemPoolAttrReleaseThreshold");
  threshold = *static_cast<const std::uint64_t*>(value);
  return cudaSuccess;
}

cudaError_t cudaMemPoolTrimTo(cudaMemPool_t pool, size_t bytes_to_keep) {
  CALL_OR_FAIL(pool, bytes_to_keep);
  check_pool(pool);
  return cudaSuccess;
}

// --- copies ---------------------------------------------------------------------------------------------------------

cudaError_t cudaMemcpyAsync(void* destination, const void* source, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  CALL_OR_FAIL(destination, source, bytes, kind, stream);
  check_stream(stream);
  if (bytes == 0) return cudaSuccess;
  auto* to = static_cast<std::byte*>(destination);
  const auto* from = static_cast<const std::byte*>(source);
  switch (kind) {
    case cudaMemcpyHostToDevice: {
      check_device("destination", destination, bytes);
      check_host("source", source, bytes);
      lend(source, bytes);
      enqueue(stream, [=, hash = hash_of(source, bytes)] { copy_to_device(to, from, bytes, hash); });
      return cudaSuccess;
    }
    case cudaMemcpyDeviceToHost:
      check_host("destination", destination, bytes);
      check_device("source", source, bytes);
      if (is_in_flight(destination, bytes)) fault("another copy from or to the destination has not been waited for");
      expect_delivery(destination, bytes);
      enqueue(stream, [=] {
        check_alive("source", from, bytes, true);
        deliver_later(stream, to, std::vector<std::byte>(from, from + bytes));
      });
      return cudaSuccess;
    case cudaMemcpyDeviceToDevice:
      check_device("destination", destination, bytes);
      check_device("source", source, bytes);
      if (to < from + bytes && from < to + bytes) fault("source and destination overlap");
      enqueue(stream, [=] { copy_inside(to, from, bytes); });
      return cudaSuccess;
  }
  fault("kind is none of host to device, device to host, device to device");
}

cudaError_t cudaMemcpy2DAsync(void* destination, size_t destination_pitch, const void* source, size_t source_pitch,
                              size_t width, size_t height, cudaMemcpyKind kind, cudaStream_t stream) {
  CALL_OR_FAIL(destination, destination_pitch, source, source_pitch, width, height, kind, stream);
  check_stream(stream);
  if (kind != cudaMemcpyDeviceToDevice) fault("kind must be device to device");
  if (destination_pitch < width || source_pitch < width) fault("rows of width bytes overlap at such a pitch");
  if (width == 0 || height == 0) return cudaSuccess;
  check_device("destination", destination, (height - 1) * destination_pitch + width);
  check_device("source", source, (height - 1) * source_pitch + width);
  enqueue(stream, [=] {
    for (std::size_t i = 0; i < height; ++i)
      copy_inside(static_cast<std::byte*>(destination) + i * destination_pitch,
                  static_cast<const std::byte*>(source) + i * source_pitch, width);
  });
  return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void* memory, int value, size_t bytes, cudaStream_t stream) {
  CALL_OR_FAIL(memory, value, bytes, stream);
  check_stream(stream);
  if (bytes == 0) return cudaSuccess;
  check_device("memory", memory, bytes);
  enqueue(stream, [=] {
    check_alive("memory", memory, bytes, false);
    std::memset(memory, value, bytes);
    mark_initialised(memory, bytes);
  });
  return cudaSuccess;
}

}  // extern "C"
