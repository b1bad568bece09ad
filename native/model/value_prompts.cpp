#include "model/value_prompts.h"

#include "base/error.h"

namespace lyaplock {

void ValuePrompts::validate(const ModelDescription& model) const {
  const auto fail = [](const std::string& message) { throw Error(ErrorCode::invalid_argument, message); };
  const auto within = [](std::int32_t index, std::size_t count) {
    return index >= 0 && static_cast<std::size_t>(index) < count;
  };
  batch.validate(model);
  const std::size_t sequences = batch.sequences();
  if (bare.empty()) fail("Values were asked for no facts");
  if (facts.size() != sequences || lookups.size() != sequences)
    fail("Every sequence needs its fact and its lookup position; " + std::to_string(sequences) + " sequences have " +
         std::to_string(facts.size()) + " and " + std::to_string(lookups.size()));

  std::vector<std::size_t> labelled(sequences);
  for (const Label& label : labels) {
    if (!within(label.sequence, sequences)) fail("There is no sequence " + std::to_string(label.sequence));
    const auto s = static_cast<std::size_t>(label.sequence);
    if (!within(label.position, batch.length(s)) || label.position < lookups[s])
      fail("A label of sequence " + std::to_string(s) + " lies at position " + std::to_string(label.position) +
           ", outside its lookup position " + std::to_string(lookups[s]) + " to its end at " +
           std::to_string(batch.length(s)));
    if (!within(label.token, model.vocabulary))
      fail("Label " + std::to_string(label.token) + " is not in the vocabulary");
    ++labelled[s];
  }
  std::vector<std::size_t> rewriting(bare.size()), divergence(bare.size());
  for (std::size_t s = 0; s < sequences; ++s) {
    if (!within(facts[s], bare.size())) fail("There is no fact " + std::to_string(facts[s]));
    if (!within(lookups[s], batch.length(s)))
      fail("The lookup position " + std::to_string(lookups[s]) + " of sequence " + std::to_string(s) +
           " is outside it");
    ++(labelled[s] > 0 ? rewriting : divergence)[static_cast<std::size_t>(facts[s])];
  }
  for (std::size_t fact = 0; fact < bare.size(); ++fact) {
    if (rewriting[fact] == 0 || divergence[fact] != 1)
      fail("Fact " + std::to_string(fact) + " has " + std::to_string(rewriting[fact]) + " rewriting and " +
           std::to_string(divergence[fact]) + " KL prompts; it needs at least one and exactly one");
    if (!within(bare[fact], sequences) ||
        facts[static_cast<std::size_t>(bare[fact])] != static_cast<std::int32_t>(fact))
      fail("The bare prompt of fact " + std::to_string(fact) + " is not one of its sequences");
  }
}

}  // namespace lyaplock
