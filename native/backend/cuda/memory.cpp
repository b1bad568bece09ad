#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/status.h"
#include "base/error.h"

namespace lyaplock {

namespace cuda {

namespace {

const char* name_of(ProductInputs inputs) {
  switch (inputs) {
    case ProductInputs::float32: return "float32";
    case ProductInputs::tf32: return "tf32";
    case ProductInputs::bfloat16: return "bfloat16";
  }
  return "";
}

}  // namespace

CudaBackend::CudaBackend(const CudaOptions& options)
    : options_(options), device_(find_device()), stream_(std::make_shared<Stream>()), libraries_(*stream_) {
  if (options.product_inputs != ProductInputs::float32 && device_.major < 8)
    throw Error(ErrorCode::device, std::string("Products of ") + name_of(options.product_inputs) +
                                       " need compute capability 8.0; " + device_.name + " has " +
                                       std::to_string(device_.major) + "." + std::to_string(device_.minor) +
                                       ". Leave --matmul out");
}

CudaBackend::~CudaBackend() {
  // Copies out of pinned memory may be under way. A device that is lost makes none.
  (void)cudaStreamSynchronize(*stream_);
}

std::shared_ptr<void> CudaBackend::allocate(std::size_t bytes) {
  return {stream_->allocate(bytes), [stream = stream_, bytes](void* memory) { stream->release(memory, bytes); }};
}

std::shared_ptr<const void> CudaBackend::adopt(std::shared_ptr<const void> host, std::size_t bytes) {
  std::shared_ptr<void> memory = allocate(bytes);
  upload(memory.get(), host.get(), bytes);
  return memory;
}

void CudaBackend::upload(void* destination, const void* host, std::size_t bytes) {
  staging_.upload(*stream_, destination, host, bytes);
}

void CudaBackend::download(void* host, const void* source, std::size_t bytes) {
  staging_.download(*stream_, host, source, bytes);
  stream_->check_releases();
}

void CudaBackend::synchronize() { stream_->synchronize("waiting for the GPU"); }

std::string CudaBackend::description() const {
  const auto version = std::to_string(device_.runtime / 1000) + "." + std::to_string(device_.runtime % 1000 / 10);
  const std::string products = options_.product_inputs == ProductInputs::float32
                                   ? ""
                                   : std::string(", products of ") + name_of(options_.product_inputs);
  const std::string solves = options_.refined_solve ? ", refined solves" : "";
  return "cuda (" + device_.name + ", CUDA " + version + products + solves + ")";
}

}  // namespace cuda

void require_cuda_device() { (void)cuda::find_device(); }

std::shared_ptr<Backend> create_cuda_backend(const CudaOptions& options) {
  return std::make_shared<cuda::CudaBackend>(options);
}

}  // namespace lyaplock
