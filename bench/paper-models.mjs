/** The paper's models: a folder of test/configs, and the seconds per fact that it reports on an A100 80 GB. */
export const paperModels = [
  { title: "GPT2-XL", config: "gpt2-xl", published: 0.5 },
  { title: "GPT-J", config: "gpt-j-6b", published: 1.78 },
  { title: "LLaMA-3-8B", config: "llama-3-8b", published: 2.06 },
];

export const productsInWords = { f32: "float32", tf32: "TF32", bf16: "bfloat16" };
