export { type Dataset, datasets, openDataset, type RecordOptions } from "./datasets.js";
export { readFacts, type UnreadableFact } from "./facts.js";
export { type GlueItem, type GlueTaskName, type GlueTests, glueHash, readGlue } from "./glue.js";
export type { CounterFactRecord, DatasetRecord, Fact, KnownFact, ZsreRecord } from "./records.js";
export { type ReferenceTexts, readReferenceTexts } from "./reference-texts.js";
export {
  type CachedMomentsOptions,
  type CollectionEstimate,
  cachedSecondMoments,
  readSecondMoments,
  writeLayerFile,
  writeSecondMoments,
} from "./second-moments-files.js";
export {
  type ListedMoment,
  listSecondMoments,
  pruneSecondMoments,
  verifySecondMoments,
} from "./second-moments-listing.js";
export { readPublishedMoment } from "./second-moments-npz.js";
export { readTexts } from "./texts.js";
