// What `require` of the addon returns: NativeAddon of src/native/addon.ts.

#include <napi.h>

#include "addon/arguments.h"
#include "addon/blas_measurement.h"
#include "addon/cancellation_handle.h"
#include "addon/key_space_handle.h"
#include "addon/layer_editor_handle.h"
#include "addon/matrix_handle.h"
#include "addon/model_handle.h"
#include "addon/rehearsal.h"
#include "addon/second_moment_handle.h"
#include "addon/shaping.h"
#include "addon/tensor_files.h"
#include "backend/self_test.h"

namespace lyaplock::addon {

namespace {

Napi::Value system_info(const Napi::CallbackInfo& info) {
  return with_javascript_errors(info.Env(), [&] {
    Napi::Object object = Napi::Object::New(info.Env());
    object.Set("backend", process_backend()->description());
    object.Set("threads", static_cast<double>(process_threads()));
    return object;
  });
}

Napi::Value set_threads(const Napi::CallbackInfo& info) {
  const std::size_t threads = count(info[0], "threads");
  with_javascript_errors(info.Env(), [&] { set_process_threads(threads); });
  return info.Env().Undefined();
}

Napi::Value require_device_of_addon(const Napi::CallbackInfo& info) {
  with_javascript_errors(info.Env(), [] { require_device(); });
  return info.Env().Undefined();
}

Napi::Value set_gpu_arithmetic_of_process(const Napi::CallbackInfo& info) {
  const GpuArithmetic arithmetic{text(info[0], "products"), text(info[1], "solve")};
  with_javascript_errors(info.Env(), [&] { set_gpu_arithmetic(arithmetic); });
  return info.Env().Undefined();
}

Napi::Value run_self_test(const Napi::CallbackInfo& info) {
  return promise(
      info.Env(), nullptr, [] { return self_test(*process_backend()); },
      [](Napi::Env env, const SelfTest& test) -> Napi::Value {
        Napi::Object object = Napi::Object::New(env);
        object.Set("productError", test.product_error);
        object.Set("factorError", test.factor_error);
        object.Set("float32Gigaflops", test.float32_gigaflops);
        object.Set("float64Gigaflops", test.float64_gigaflops);
        return object;
      });
}

Napi::Value create_cancellation(const Napi::CallbackInfo& info) {
  return CancellationHandle::wrap(info.Env(), std::make_shared<Cancellation>());
}

template <class Class>
void define(Napi::Env env, AddonData& data) {
  Class::constructor(data) = Napi::Persistent(Class::define(env));
}

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  auto owned = std::make_unique<AddonData>(env);
  AddonData* data = owned.release();  // the environment's from here on
  env.SetInstanceData<AddonData>(data);
  env.AddCleanupHook([](AddonData* ending) { ending->end(); }, data);

  define<CancellationHandle>(env, *data);
  define<MatrixHandle>(env, *data);
  define<SecondMomentHandle>(env, *data);
  define<KeySpaceHandle>(env, *data);
  define<LayerEditorHandle>(env, *data);
  define<ModelHandle>(env, *data);
  define<KeyPassHandle>(env, *data);
  define<GenerationHandle>(env, *data);

  const auto function = [&](const char* name, Napi::Value (*callback)(const Napi::CallbackInfo&)) {
    exports.Set(name, Napi::Function::New(env, callback, name));
  };
  function("systemInfo", system_info);
  exports.Set("device", process_device());
  function("requireDevice", require_device_of_addon);
  function("setThreads", set_threads);
  function("setGpuArithmetic", set_gpu_arithmetic_of_process);
  function("selfTest", run_self_test);
  function("measureBlas", run_measure_blas);
  function("createCancellation", create_cancellation);
  function("createMatrix", create_matrix);
  function("allocateMatrix", allocate_matrix);
  function("loadModel", load_model);
  function("createSecondMoment", create_second_moment);
  function("createSecondMomentFromSum", create_second_moment_from_sum);
  function("createKeySpace", create_key_space);
  function("createKeySpaceFromFactor", create_key_space_from_factor);
  function("createNullSpace", create_null_space);
  function("createLayerEditor", create_layer_editor);
  function("residuals", compute_residuals);
  function("updateFlops", update_flops);
  function("cheaperForm", cheaper_form_of);
  function("rehearseBatch", rehearse_batch);
  function("rehearseUpdates", rehearse_updates);
  function("keepTopShare", keep_top_share_of);
  function("compressSingularValues", compress_singular_values_of);
  function("rankOneUpdate", rank_one_update_of);
  function("preservationLoss", preservation_loss_of);
  function("addScaled", add_scaled);
  function("norm", norm_of);
  function("readTensors", read_tensors);
  function("readMetadata", read_metadata);
  function("writeTensors", write_tensors);
  function("readGgufHeader", read_gguf_header);
  function("readGgufTensor", read_gguf_tensor);
  return exports;
}

}  // namespace

NODE_API_MODULE(lyaplock, initialize)

}  // namespace lyaplock::addon
