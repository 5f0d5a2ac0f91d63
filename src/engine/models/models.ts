export { toLocalModel } from './describe.ts';
export type { LoadWish, LocalModel, ModelCalibration } from './local-model.ts';
