import type { FastifyInstance } from 'fastify';
import type { FastifyZodOpenApiTypeProvider } from 'fastify-zod-openapi';
import { localProviderId } from '../../../core/call.ts';
import type { LocalModel } from '../../../engine/engine.ts';
import { clientGone } from '../../answer/answer.ts';
import { checkModelName } from '../../fields/model-name.ts';
import type { RouteDeps } from '../../mount/deps.ts';
import { bodyErrorAnswers, errorAnswers, jsonAnswer, workErrorAnswers } from '../../mount/describe.ts';
import { isVisibleHere, visibleLocal, visibleModels } from '../../mount/visible-models.ts';
import type { NativeMount } from '../mounts/mounts.ts';
import { toCloudModel, toNativeModel } from './from-core.ts';
import { toNativePlan, toPlanAnswer } from './plan-from-core.ts';
import { planAnswer, planQuery } from './plan-schema.ts';
import {
  loadAnswer,
  loadBody,
  modelEnvelope,
  modelList,
  modelListEnvelope,
  modelPath,
  nativeModel,
  unloadAnswer,
  unloadBody,
} from './schema.ts';
import { loadToCore } from './to-core.ts';

export { toNativeModel } from './from-core.ts';
export { nativeModel } from './schema.ts';

/** The list of models, one model, and loading and unloading it. */
export function addModelRoutes(instance: FastifyInstance, deps: RouteDeps, mount: NativeMount): void {
  const app = instance.withTypeProvider<FastifyZodOpenApiTypeProvider>();
  const tags = [mount.tag];
  const errors = errorAnswers(mount.errorSchema);
  const toNative = (model: LocalModel) => {
    const made = deps.store.madeModels().filter(({ from }) => deps.engine.nameOf(from) === model.name);
    return toNativeModel(
      model,
      made.map(({ name }) => name),
    );
  };
  const unknownModel = { 404: jsonAnswer(mount.errorSchema, 'There is no such model') };

  app.get('/models', {
    config: { scope: 'inference' },
    schema: {
      summary: 'List the models on disk, unusable ones included, and those of other providers',
      tags,
      response: { 200: jsonAnswer(mount.hasEnvelope ? modelListEnvelope : modelList, 'The models'), ...errors },
    },
    handler: async (request, reply) => {
      const [local, all] = await Promise.all([
        deps.engine.listModels(),
        visibleModels(deps, request, clientGone(reply).signal),
      ]);
      const models = local.filter((model) => isVisibleHere(deps, request.principal, model)).map(toNative);
      const cloud_models = all.filter(({ provider }) => provider !== localProviderId).map(toCloudModel);
      const lists = { models, cloud_models, left_out: [...deps.engine.leftOut()] };
      if (!mount.hasEnvelope) return lists;
      return { ...lists, success: true as const, data: models, metadata: { request_id: request.id } };
    },
  });

  app.get('/models/:name', {
    config: { scope: 'inference' },
    schema: {
      summary: 'Show a model',
      tags,
      params: modelPath,
      response: {
        200: jsonAnswer(mount.hasEnvelope ? modelEnvelope : nativeModel, 'The model'),
        ...unknownModel,
        ...errors,
      },
    },
    handler: async (request) => {
      const model = toNative(await visibleLocal(deps, request.principal, checkModelName(request.params.name)));
      if (!mount.hasEnvelope) return model;
      return { ...model, success: true as const, data: model, metadata: { request_id: request.id } };
    },
  });

  app.get('/models/:name/plan', {
    config: { scope: 'inference' },
    schema: {
      summary: 'Show how a model would be loaded',
      description: 'Settings and expected memory, or what is missing; nothing is loaded.',
      tags,
      params: modelPath,
      querystring: planQuery,
      response: {
        200: jsonAnswer(planAnswer, 'The plan'),
        ...unknownModel,
        422: jsonAnswer(mount.errorSchema, 'The model cannot be loaded'),
        ...errors,
      },
    },
    handler: async (request) => {
      const name = checkModelName(request.params.name);
      await visibleLocal(deps, request.principal, name);
      return toPlanAnswer(await deps.engine.plan(name, loadToCore(request.query)));
    },
  });

  app.post('/models/:name/load', {
    config: { scope: 'admin', startsWork: true, allowsEmptyBody: true },
    schema: {
      summary: 'Load a model',
      description: 'Answers when the model is ready. A model that is loaded with the same settings is left as it is.',
      tags,
      params: modelPath,
      body: loadBody.optional(),
      response: { 200: jsonAnswer(loadAnswer, 'The model is ready'), ...workErrorAnswers(mount.errorSchema) },
    },
    handler: async (request) => {
      const name = checkModelName(request.params.name);
      const startMs = deps.clock.monotonicMs();
      const model = await deps.engine.load(name, loadToCore(request.body));
      return {
        status: 'success' as const,
        model: toNative(model),
        plan: model.loaded?.plan ? toNativePlan(model.loaded.plan) : null,
        load_ms: Math.round(deps.clock.monotonicMs() - startMs),
        message: `Model ${model.name} is loaded.`,
      };
    },
  });

  app.post('/models/:name/unload', {
    config: { scope: 'admin', allowsEmptyBody: true },
    schema: {
      summary: 'Unload a model',
      description: 'Answers when running requests have ended and the memory is free.',
      tags,
      params: modelPath,
      body: unloadBody.optional(),
      response: {
        200: jsonAnswer(unloadAnswer, 'The model is unloaded'),
        ...unknownModel,
        ...bodyErrorAnswers(mount.errorSchema),
      },
    },
    handler: async (request) => {
      const model = await deps.engine.unload(checkModelName(request.params.name));
      return { status: 'success' as const, model: toNative(model), message: `Model ${model.name} is unloaded.` };
    },
  });
}
