export { toLocalModel } from './describe.ts';
export type {
  LoadedModel,
  LoadWish,
  LocalModel,
  ModelCalibration,
  ModelState,
  ModelVariant,
} from './local-model.ts';
