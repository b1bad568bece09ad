#include "streams.h"

#include <cstring>

#include "calls.h"
#include "fault.h"
#include "memory.h"

namespace cuda_emulation {

namespace {

// A program that never waits gets its work done all the same; only what it copied to the host does not arrive.
constexpr std::size_t longest_queue = 4096;
constexpr std::size_t most_freed = std::size_t{256} << 20;

struct Range {
  const std::byte* begin;
  std::size_t bytes;
  bool operator==(const Range&) const = default;
};

std::vector<Range>& in_flight() {
  static auto* const ranges = new std::vector<Range>;
  return *ranges;
}

std::vector<cudaStream_t>& streams() {
  static auto* const all = new std::vector<cudaStream_t>;
  return *all;
}

void run_first(cudaStream_t stream) {
  const Operation operation = std::move(stream->queue.front());
  stream->queue.pop_front();
  const Context context(operation.call);
  ++stream->done;
  operation.run();
}

void hand_over(cudaStream_t stream, std::uint64_t ticket) {
  while (!stream->deliveries.empty() && stream->deliveries.front().ticket <= ticket) {
    const Delivery delivery = std::move(stream->deliveries.front());
    stream->deliveries.pop_front();
    const Context context(delivery.call);
    if (!is_poison(delivery.destination, delivery.bytes.size()))
      fault("the host wrote to the copy's destination before the copy arrived: " + describe(delivery.destination));
    std::memcpy(delivery.destination, delivery.bytes.data(), delivery.bytes.size());
    give_back(delivery.destination, delivery.bytes.size());
  }
}

}  // namespace
}  // namespace cuda_emulation

CUstream_st::CUstream_st() { cuda_emulation::streams().push_back(this); }
CUstream_st::~CUstream_st() { std::erase(cuda_emulation::streams(), this); }

namespace cuda_emulation {

void check_stream(cudaStream_t stream) {
  if (stream == nullptr)
    fault("the default stream: it waits for others without being asked, and is left alone on purpose");
  check_handle("stream", stream);
}

void enqueue(cudaStream_t stream, std::function<void()> run) {
  stream->queue.push_back({current_call(), std::move(run)});
  ++stream->queued;
  if (stream->queue.size() < longest_queue && stream->freed_when_done < most_freed) return;
  const DeviceAccess access;
  while (!stream->queue.empty()) run_first(stream);
  stream->freed_when_done = 0;
}

void deliver_later(cudaStream_t stream, void* destination, std::vector<std::byte> bytes) {
  stream->deliveries.push_back({stream->done, current_call(), static_cast<std::byte*>(destination), std::move(bytes)});
}

void expect_delivery(void* destination, std::size_t bytes) {
  poison(destination, bytes);
  lend(destination, bytes);
}

void wait_for(cudaStream_t stream, std::uint64_t ticket) {
  if (stream->done < ticket) {
    const DeviceAccess access;
    while (stream->done < ticket) run_first(stream);
  }
  if (stream->queue.empty()) stream->freed_when_done = 0;
  hand_over(stream, ticket);
}

std::size_t abandon(cudaStream_t stream) {
  const DeviceAccess access;
  while (!stream->queue.empty()) run_first(stream);
  const std::size_t abandoned = stream->deliveries.size();
  for (const Delivery& delivery : stream->deliveries) give_back(delivery.destination, delivery.bytes.size());
  stream->deliveries.clear();
  return abandoned;
}

void finish_everything() {
  for (const cudaStream_t stream : streams()) wait_for(stream, stream->queued);
}

void lend(const void* host, std::size_t bytes) {
  if (bytes > 0) in_flight().push_back({static_cast<const std::byte*>(host), bytes});
}

void give_back(const void* host, std::size_t bytes) {
  std::vector<Range>& ranges = in_flight();
  const Range range{static_cast<const std::byte*>(host), bytes};
  for (std::size_t i = 0; i < ranges.size(); ++i)
    if (ranges[i] == range) {
      ranges.erase(ranges.begin() + static_cast<std::ptrdiff_t>(i));
      return;
    }
}

bool is_in_flight(const void* host, std::size_t bytes) {
  const auto* begin = static_cast<const std::byte*>(host);
  for (const Range& range : in_flight())
    if (range.begin < begin + bytes && begin < range.begin + range.bytes) return true;
  return false;
}

}  // namespace cuda_emulation
