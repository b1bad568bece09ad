#include "model/gguf_names.h"

#include "check.h"

using namespace lyaplock;
using namespace lyaplock::test;

TEST("tensors of GGUF files have the names of their families") {
  const auto name = [](const char* family, const char* gguf) {
    return checkpoint_name(family_named(family), gguf).value_or("none");
  };
  CHECK(name("llama", "token_embd.weight") == "model.embed_tokens.weight");
  CHECK(name("llama", "output_norm.weight") == "model.norm.weight");
  CHECK(name("llama", "output.weight") == "lm_head.weight");
  CHECK(name("llama", "blk.0.attn_q.weight") == "model.layers.0.self_attn.q_proj.weight");
  CHECK(name("llama", "blk.12.attn_k.bias") == "model.layers.12.self_attn.k_proj.bias");
  CHECK(name("llama", "blk.9.ffn_down.weight") == "model.layers.9.mlp.down_proj.weight");
  CHECK(name("llama", "blk.9.ffn_norm.weight") == "model.layers.9.post_attention_layernorm.weight");
  CHECK(name("gpt2", "position_embd.weight") == "transformer.wpe.weight");
  CHECK(name("gpt2", "blk.3.attn_qkv.bias") == "transformer.h.3.attn.c_attn.bias");
  CHECK(name("gpt2", "blk.3.ffn_up.weight") == "transformer.h.3.mlp.c_fc.weight");
  CHECK(name("gpt2", "output.weight") == "lm_head.weight");

  for (const char* gguf :
       {"rope_freqs.weight", "blk.0.attn_qkv.weight", "position_embd.weight", "token_embd", "", "blk..attn_q.weight",
        "blk.x.attn_q.weight", "blk.01.attn_q.weight", "blk.-1.attn_q.weight", "blk.99999999999999999999.attn_q.weight",
        "blk.0.attn_q.scale", "attn_q.weight", "blk.0.token_embd.weight", "blk.0..weight", "."})
    CHECK(name("llama", gguf) == "none");
}
