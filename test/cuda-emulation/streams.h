// Device work is queued, and run as late as it may be: when the host waits for it. Copies to the host arrive even
// later, when the host has waited; until then it finds poison.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <vector>

namespace cuda_emulation {

struct Operation {
  std::string call;
  std::function<void()> run;
};

/// Bytes on their way to the host.
struct Delivery {
  std::uint64_t ticket;  // of the copy
  std::string call;
  std::byte* destination;
  std::vector<std::byte> bytes;
};

}  // namespace cuda_emulation

struct CUstream_st {
  CUstream_st();
  ~CUstream_st();
  CUstream_st(const CUstream_st&) = delete;
  CUstream_st& operator=(const CUstream_st&) = delete;

  std::deque<cuda_emulation::Operation> queue;
  std::uint64_t queued = 0;  // operations, ever
  std::uint64_t done = 0;
  std::deque<cuda_emulation::Delivery> deliveries;
  std::size_t freed_when_done = 0;  // bytes
};

struct CUevent_st {
  cudaStream_t stream = nullptr;  // nullptr before it is recorded
  std::uint64_t ticket = 0;
};

namespace cuda_emulation {

/// Faults unless it is a stream of the program's own.
void check_stream(cudaStream_t stream);
/// Puts work on a stream, on behalf of the current call.
void enqueue(cudaStream_t stream, std::function<void()> run);
/// From inside a queued copy: its bytes, for the host.
void deliver_later(cudaStream_t stream, void* destination, std::vector<std::byte> bytes);
/// Marks the destination of a queued copy: poison from now on, and nobody's to write.
void expect_delivery(void* destination, std::size_t bytes);
/// Runs a stream's first operations up to a ticket (Stream::queued at the time), and hands over what they copied.
void wait_for(cudaStream_t stream, std::uint64_t ticket);
/// Runs what is left on a stream; nobody will wait for its copies to the host. Returns how many there are.
std::size_t abandon(cudaStream_t stream);
/// Does all work there is, as if the host had waited for it.
void finish_everything();
/// Whether a copy from or to these bytes of the host is queued or on its way.
bool is_in_flight(const void* host, std::size_t bytes);
/// The source of a copy, until the copy has been made.
void lend(const void* host, std::size_t bytes);
void give_back(const void* host, std::size_t bytes);

}  // namespace cuda_emulation
