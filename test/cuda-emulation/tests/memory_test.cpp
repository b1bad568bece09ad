// Memory, copies, streams and events: what is right goes through, and what is wrong is said.
#include <numeric>

#include "device.h"

using namespace cuda_emulation;
using namespace cuda_emulation::test;

namespace {

/// Pinned host memory for floats.
struct Pinned {
  explicit Pinned(std::size_t count) { succeed(cudaMallocHost(&data, count * sizeof(float))); }
  ~Pinned() { (void)cudaFreeHost(data); }
  Pinned(const Pinned&) = delete;
  Pinned& operator=(const Pinned&) = delete;
  float* data = nullptr;
};

}  // namespace

TEST("bytes come back as they went") {
  const Device on;
  const std::vector<float> numbers = random_numbers<float>(1001, 1);
  const Elements<float> there(on, numbers);
  CHECK(there.read() == numbers);
}

TEST("copies of rows leave what lies between") {
  const Device on;
  std::vector<float> from(5 * 7);
  std::iota(from.begin(), from.end(), 1.0F);
  const Elements<float> source(on, from);
  const Elements<float> destination(on, std::vector<float>(5 * 9, -1));
  succeed(cudaMemcpy2DAsync(destination + 2, 9 * sizeof(float), source + 1, 7 * sizeof(float), 3 * sizeof(float), 5,
                            cudaMemcpyDeviceToDevice, on.stream));
  const std::vector<float> result = destination.read();
  for (std::size_t i = 0; i < 5; ++i)
    for (std::size_t j = 0; j < 9; ++j) CHECK(result[i * 9 + j] == (j >= 2 && j < 5 ? from[i * 7 + j - 1] : -1));
}

TEST("bytes are set") {
  const Device on;
  const Elements<float> there(on, std::vector<float>{1, 2, 3});
  succeed(cudaMemsetAsync(there, 0, 2 * sizeof(float), on.stream));
  CHECK((there.read() == std::vector<float>{0, 0, 3}));
}

TEST("memory has an end, and what is in use is counted") {
  const Device on;
  const std::size_t before = bytes_in_use();
  void* memory = nullptr;
  CHECK(cudaMallocAsync(&memory, std::size_t{1} << 60, on.stream) == cudaErrorMemoryAllocation);
  CHECK(cudaGetLastError() == cudaErrorMemoryAllocation);
  CHECK(cudaGetLastError() == cudaSuccess);
  {
    const Elements<float> there(on, 100);
    CHECK(bytes_in_use() == before + 400);
    std::size_t free = 0;
    std::size_t total = 0;
    succeed(cudaMemGetInfo(&free, &total));
    CHECK(free == total - before - 400);
  }
  CHECK(bytes_in_use() == before);
}

TEST("a copy to the host arrives when it has been waited for, and not before") {
  const Device on;
  const Elements<float> there(on, std::vector<float>{1, 2});
  const Pinned here(2);
  here.data[0] = 5;
  succeed(cudaMemcpyAsync(here.data, there, 2 * sizeof(float), cudaMemcpyDeviceToHost, on.stream));
  CHECK(std::isnan(here.data[0]) && std::isnan(here.data[1]));
  cudaEvent_t event = nullptr;
  succeed(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
  succeed(cudaEventSynchronize(event));  // was not recorded: waits for nothing
  CHECK(std::isnan(here.data[0]));
  succeed(cudaEventRecord(event, on.stream));
  succeed(cudaEventSynchronize(event));
  CHECK(here.data[0] == 1 && here.data[1] == 2);
  succeed(cudaEventDestroy(event));
}

TEST("what was copied before an event is there, what was copied after is not") {
  const Device on;
  const Elements<float> there(on, std::vector<float>{1, 2});
  const Pinned first(1);
  const Pinned second(1);
  cudaEvent_t event = nullptr;
  succeed(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
  succeed(cudaMemcpyAsync(first.data, there, sizeof(float), cudaMemcpyDeviceToHost, on.stream));
  succeed(cudaEventRecord(event, on.stream));
  succeed(cudaMemcpyAsync(second.data, there + 1, sizeof(float), cudaMemcpyDeviceToHost, on.stream));
  succeed(cudaEventSynchronize(event));
  CHECK(*first.data == 1 && std::isnan(*second.data));
  on.wait();
  CHECK(*second.data == 2);
  succeed(cudaEventDestroy(event));
}

TEST("a host that never waits still has its work done, and hears nothing of it") {
  const Device on;
  const Elements<float> there(on, std::vector<float>(4, 0));
  const Pinned here(1);
  succeed(cudaMemcpyAsync(here.data, there, sizeof(float), cudaMemcpyDeviceToHost, on.stream));
  for (int i = 0; i < 10000; ++i) succeed(cudaMemsetAsync(there, i, 4, on.stream));
  CHECK(std::isnan(*here.data));
  on.wait();
  CHECK(*here.data == 0);
}

TEST("a call fails when it is told to, once, and the last error says so") {
  const Device on;
  const Elements<float> there(on, std::vector<float>{1});
  fail_call(2);
  succeed(cudaMemsetAsync(there, 0, 4, on.stream));
  CHECK(failed_call() == nullptr);
  CHECK(cudaMemsetAsync(there, 1, 4, on.stream) == cudaErrorLaunchFailure);
  CHECK(std::string(failed_call()) == "cudaMemsetAsync");
  CHECK(cudaGetLastError() == cudaErrorLaunchFailure);
  succeed(cudaMemsetAsync(there, 0, 4, on.stream));
  CHECK(there.read()[0] == 0);
  fail_call(0);
}

// --- mistakes -------------------------------------------------------------------------------------------------------

TEST("host memory where device memory is due") {
  CHECK_FAULT(({"cudaMemsetAsync(memory = 0x", "memory must be device memory of 8 bytes, and is host memory"}), {
    const Device on;
    double here = 0;
    (void)cudaMemsetAsync(&here, 0, 8, on.stream);
  });
}

TEST("device memory where host memory is due") {
  CHECK_FAULT(({"destination must be host memory of 4 bytes, and is device memory, byte 0 of the 4 bytes from "
                "cudaMallocAsync(memory = 0x"}),
              {
                const Device on;
                const Elements<float> there(on, std::vector<float>{1});
                (void)cudaMemcpyAsync(there, there, 4, cudaMemcpyDeviceToHost, on.stream);
              });
}

TEST("the host touches device memory") {
  CHECK_FAULT(({"the host reads or writes device memory, byte 4 of the 8 bytes"}), {
    const Device on;
    const Elements<float> there(on, std::vector<float>{1, 2});
    volatile float* element = there + 1;
    *element = *element + 1;
  });
}

TEST("beyond the end") {
  CHECK_FAULT(({"source takes 8 bytes from device memory, byte 4 of the 8 bytes", "beyond its end"}), {
    const Device on;
    const Elements<float> there(on, std::vector<float>{1, 2});
    float here[2];
    (void)cudaMemcpyAsync(here, there + 1, 8, cudaMemcpyDeviceToHost, on.stream);
  });
}

TEST("what was never written") {
  CHECK_FAULT(({"cudaMemcpyAsync", "source was never written: device memory, byte 4"}), {
    const Device on;
    const Elements<float> there(on, 2);
    succeed(cudaMemsetAsync(there, 0, 4, on.stream));
    (void)there.read();
  });
}

TEST("use after free") {
  CHECK_FAULT(({"memory is freed device memory, byte 0 of the 4 bytes"}), {
    const Device on;
    void* memory = nullptr;
    succeed(cudaMallocAsync(&memory, 4, on.stream));
    succeed(cudaFreeAsync(memory, on.stream));
    (void)cudaMemsetAsync(memory, 0, 4, on.stream);
  });
}

TEST("freed twice") {
  CHECK_FAULT(({"freed twice"}), {
    const Device on;
    void* memory = nullptr;
    succeed(cudaMallocAsync(&memory, 4, on.stream));
    succeed(cudaFreeAsync(memory, on.stream));
    (void)cudaFreeAsync(memory, on.stream);
  });
}

TEST("memory used on one stream before another stream's allocation") {
  CHECK_FAULT(({"memory is not there when its turn comes"}), {
    const Device on;
    const Device other;
    void* memory = nullptr;
    succeed(cudaMallocAsync(&memory, 4, on.stream));
    succeed(cudaMemsetAsync(memory, 0, 4, other.stream));
    other.wait();
  });
}

TEST("the source of a copy changes before its turn") {
  CHECK_FAULT(({"cudaMemcpyAsync", "the source changed before the copy's turn came: host memory"}), {
    const Device on;
    const Elements<float> there(on, 1);
    float here = 1;
    succeed(cudaMemcpyAsync(there, &here, 4, cudaMemcpyHostToDevice, on.stream));
    here = 2;
    on.wait();
  });
}

TEST("the host writes where a copy is still to arrive") {
  CHECK_FAULT(({"the host wrote to the copy's destination before the copy arrived"}), {
    const Device on;
    const Elements<float> there(on, std::vector<float>{1});
    float here = 0;
    succeed(cudaMemcpyAsync(&here, there, 4, cudaMemcpyDeviceToHost, on.stream));
    here = 3;
    on.wait();
  });
}

TEST("pinned memory is freed with a copy on its way") {
  CHECK_FAULT(({"cudaFreeHost(memory = 0x", "has not been waited for"}), {
    const Device on;
    const Elements<float> there(on, std::vector<float>{1});
    const Pinned here(1);
    succeed(cudaMemcpyAsync(here.data, there, 4, cudaMemcpyDeviceToHost, on.stream));
  });
}

TEST("a stream is destroyed with a copy on its way") {
  CHECK_FAULT(({"cudaStreamDestroy", "nobody waited for them"}), {
    float here = 0;
    const Device on;
    const Elements<float> there(on, std::vector<float>{1});
    succeed(cudaMemcpyAsync(&here, there, 4, cudaMemcpyDeviceToHost, on.stream));
  });
}

TEST("wrong handles") {
  CHECK_FAULT(({"cudaStreamSynchronize", "a stream is due, not a cuBLAS handle"}), {
    const Device on;
    (void)cudaStreamSynchronize(reinterpret_cast<cudaStream_t>(on.blas));
  });
  CHECK_FAULT(({"cudaEventRecord", "this event was destroyed before"}), {
    const Device on;
    cudaEvent_t event = nullptr;
    succeed(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
    succeed(cudaEventDestroy(event));
    (void)cudaEventRecord(event, on.stream);
  });
  CHECK_FAULT(({"the default stream"}), (void)cudaStreamSynchronize(nullptr));
}

TEST("what is left at exit") {
  CHECK_FAULT(({"left at exit", "4 bytes of device memory from cudaMallocAsync", "8 bytes of pinned memory",
                "a stream from cudaStreamCreateWithFlags"}),
              {
                cudaStream_t stream = nullptr;
                succeed(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
                void* memory = nullptr;
                succeed(cudaMallocAsync(&memory, 4, stream));
                succeed(cudaMallocHost(&memory, 8));
              });
}
