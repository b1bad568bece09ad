#include "model/tracing.h"

#include "addon/arguments.h"
#include "addon/model_handle.h"

namespace lyaplock::addon {

namespace {

TracedKind traced_kind(Napi::Env env, const std::string& kind) {
  if (kind == "state") return TracedKind::state;
  if (kind == "mlp") return TracedKind::feed_forward;
  if (kind == "attention") return TracedKind::attention;
  throw to_javascript(env, name_of(ErrorCode::invalid_argument), "There is nothing called " + kind + " to restore");
}

/// One prompt's, kinds in the order asked for.
struct TracedScores {
  float high, low;
  std::vector<std::vector<float>> scores;
};

}  // namespace

Napi::Value ModelHandle::trace(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Napi::Object given = object(info[0], "The prompt"), options = object(info[1], "The options");
  TracedPrompt prompt{.tokens = integers(given.Get("tokens"), "tokens"),
                      .subject_begin = count(given.Get("subjectBegin"), "subjectBegin"),
                      .subject_end = count(given.Get("subjectEnd"), "subjectEnd"),
                      .answer = static_cast<std::int32_t>(count(given.Get("answer"), "answer"))};
  std::vector<TracedKind> kinds;
  for (const std::string& kind : texts(options.Get("kinds"), "kinds")) kinds.push_back(traced_kind(env, kind));
  const std::size_t window = count(options.Get("window"), "window");
  const std::size_t begin = count(options.Get("begin"), "begin"), end = count(options.Get("end"), "end");
  const std::shared_ptr<Cancellation> token = cancellation(info, 2);
  return promise(
      env, token,
      [model = native(env), prompt = std::move(prompt), noise = floats(given.Get("noise"), "noise"),
       kinds = std::move(kinds), window, begin, end, token] {
        const std::size_t m = model->description().width;
        if (noise.size() % m != 0)
          throw Error(ErrorCode::invalid_argument, "Noise must have rows of width " + std::to_string(m));
        const Matrix<float> rows = upload<float>(model->backend(), noise, noise.size() / m, m);
        Tracing tracing(*model, prompt, rows, *token);
        TracedScores found{tracing.high(), tracing.low(), {}};
        for (const TracedKind kind : kinds) found.scores.push_back(tracing.scores(kind, window, begin, end, *token));
        return found;
      },
      [](Napi::Env e, const TracedScores& found) -> Napi::Value {
        Napi::Array scores = Napi::Array::New(e, found.scores.size());
        for (std::uint32_t i = 0; i < found.scores.size(); ++i) scores.Set(i, to_array(e, found.scores[i]));
        Napi::Object object = Napi::Object::New(e);
        object.Set("high", static_cast<double>(found.high));
        object.Set("low", static_cast<double>(found.low));
        object.Set("scores", scores);
        return object;
      });
}

Napi::Value ModelHandle::embedding_deviation(const Napi::CallbackInfo& info) {
  return promise(
      info.Env(), nullptr,
      [model = native(info.Env()), tokens = integers(info[0], "tokens")] {
        return lyaplock::embedding_deviation(*model, tokens);
      },
      to_number);
}

}  // namespace lyaplock::addon
