/** What a batch is busy with. */
export interface EditProgress {
  phase: "values" | "keys" | "update";
  layer?: number;
  /** Facts of the batch that the phase is through with, and all of them. */
  facts: number;
  of: number;
}

export interface EditOptions {
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: EditProgress) => void) | undefined;
}
